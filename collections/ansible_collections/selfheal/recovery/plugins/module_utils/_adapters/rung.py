# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every rung does around its own step, in one call on the host: guard, look, evidence, act, verify, look again.

A rung's module says what its step is (``Step``); this says what came of it (``Outcome``). A decision is never an exception.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Mapping, Protocol

from .._domain import container as containers
from .._domain.errors import RecoveryError
from .._domain.fence import Fence, GuardRefused
from .._domain.outcomes import FAILED as NOT_RECOVERED
from .._domain.outcomes import NOT_STARTED, RECOVERED, REFUSED
from .._domain.timing import stable_window, verify_timeout
from .._domain.verdict import FAILED, HEALTHY, UNMEASURED, Health, for_ladder
from .engine.client import Engine
from .engine.errors import EngineFailure
from .evidence import EVIDENCE_SECONDS, Evidence, EvidenceStore
from .files import NotPrivate
from .host_guard import Held, HostGuard
from .prober import Measurement, Prober
from .waiter import until_stable

_SHOWN_IN_DIFF = ("state", "health", "exit_code", "started_at", "image", "id")


@dataclass(frozen=True)
class Outcome:
    """What came of a rung.

    ``outcome`` is ``recovered`` (verified), ``failed`` (it acted, and the instance is not verified healthy), ``refused`` (a rule of this host
    or a person's doing stands against it) or ``not_started`` (there was nothing to act on); ``mutated`` whether a change reached the engine,
    or may have. ``health`` and ``observed`` are the last measurement, ``before`` and ``after`` the container's state for a diff.
    """

    outcome: str
    reason: str
    detail: str
    mutated: bool = False
    health: Mapping[str, Any] = field(default_factory=dict)
    observed: Mapping[str, Any] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=lambda: Evidence().to_json())
    waited_s: float = 0.0
    unfinished: Mapping[str, Any] | None = None
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A plain mapping."""
        return asdict(self)


class Declined(RecoveryError):
    """A step that is not taken in the state the container is in; ``outcome`` is ``refused`` or ``not_started``."""

    def __init__(self, outcome: str, reason: str, message: str) -> None:
        super().__init__(message, reason=reason)
        self.outcome = outcome


class Step(Protocol):
    """What a rung does to the container."""

    @property
    def name(self) -> str:
        """The rung's word, for the lock and the journal."""

    def check(self, inspect: Mapping[str, Any]) -> None:
        """Raises ``Declined`` when this container is not one to do it to."""

    def needs_s(self, engine: Engine, inspect: Mapping[str, Any]) -> float:
        """How long ``apply`` may take at most, in seconds; raises an engine's error."""

    def apply(self, engine: Engine, inspect: Mapping[str, Any]) -> str:
        """Do it, and say what was done; raises an engine's error, whose ``sent`` tells whether anything may have changed."""


@dataclass(frozen=True)
class Rung:
    """One rung on one instance. Times in seconds; ``None`` takes the default of ``_domain/timing.py``."""

    fence: Fence
    step: Step
    engine: Engine
    guard: HostGuard
    prober: Prober
    evidence_seconds: float = EVIDENCE_SECONDS
    stable_window: float | None = None
    verify_timeout: float | None = None
    interval: float = 1.0

    def run(self) -> Outcome:
        """Act, and verify."""
        try:
            with self.guard.acting(self.fence, self.step.name, self.evidence_seconds) as held:
                outcome = replace(self._act(held), unfinished=held.unfinished)
        except (GuardRefused, NotPrivate) as refusal:
            return Outcome(REFUSED, refusal.reason, str(refusal))
        EvidenceStore(self.guard.directory, self.guard.clock).prune()
        return outcome

    def predict(self) -> Outcome:
        """What ``run`` would do, without doing or writing anything: ``reason`` is ``check_mode`` when it would act."""
        unfinished = None
        try:
            self.guard.predict(self.fence, self.evidence_seconds)
            unfinished = self.guard.read(self.fence.scope)["journal"]
            inspect, needs_s = self._look()
            self.guard.predict(self.fence, needs_s)
        except (GuardRefused, NotPrivate) as refusal:
            return Outcome(REFUSED, refusal.reason, str(refusal))
        except Declined as declined:
            return Outcome(declined.outcome, declined.reason, declined.message, unfinished=unfinished)
        seen = self.prober.measure()
        detail = f"would do {self.step.name} on container {self.prober.container}, which is {containers.state_of(inspect)}, and verify it"
        before = _shown(inspect)
        return _measured(Outcome(NOT_STARTED, "check_mode", detail, unfinished=unfinished, before=before, after={**before, "state": "running"}), seen)

    def _look(self) -> tuple[Mapping[str, Any], float]:
        """The container, which the step may be done to, and how long evidence and step may take together."""
        try:
            inspect = self.engine.inspect(self.prober.container)
            self.step.check(inspect)
            return inspect, self.evidence_seconds + self.step.needs_s(self.engine, inspect)
        except EngineFailure as error:
            raise Declined(NOT_STARTED, error.reason, str(error)) from None

    def _act(self, held: Held) -> Outcome:
        try:
            inspect, needs_s = self._look()
            held.require(needs_s)
        except Declined as declined:
            return Outcome(declined.outcome, declined.reason, declined.message)
        if self.fence.recheck:
            seen = self.prober.measure()
            if for_ladder(seen.health) == HEALTHY:
                return _measured(Outcome(REFUSED, "healthy_again", "it became healthy while it waited for its turn: left alone"), seen)
        store = EvidenceStore(self.guard.directory, self.guard.clock)
        evidence = store.capture(self.fence.session_id, self.fence.scope, inspect, self.engine, self.prober, self.evidence_seconds).to_json()
        held.require(needs_s - self.evidence_seconds)  # a process that slept meanwhile must not act on a lease that is over
        try:
            detail = self.step.apply(self.engine, inspect)
        except EngineFailure as error:
            return self._not_done(error, replace(Outcome(NOT_RECOVERED, "", "", evidence=evidence), before=_shown(inspect)))
        return self._verify(inspect, replace(Outcome(RECOVERED, "verified", detail, mutated=True, evidence=evidence), before=_shown(inspect)))

    def _not_done(self, error: EngineFailure, draft: Outcome) -> Outcome:
        """The step ended with an error. What was sent may have been done, now or later: that is a failure, not a thing that did not start."""
        outcome = NOT_RECOVERED if error.sent else NOT_STARTED
        seen = self.prober.measure()
        return _measured(replace(draft, outcome=outcome, reason=error.reason, detail=str(error), mutated=error.sent), seen)

    def _verify(self, before: Mapping[str, Any], draft: Outcome) -> Outcome:
        start_period, interval = containers.health_check(before)
        window = stable_window(self.stable_window, interval)
        timeout = verify_timeout(self.verify_timeout, start_period, interval)
        waited = until_stable(self.prober.measure, window, timeout, self.interval, self.prober.clock)
        draft = replace(_measured(draft, waited.last), waited_s=round(waited.seconds, 1))
        try:
            after = self.engine.inspect(self.prober.container)
        except EngineFailure as error:
            return replace(draft, outcome=NOT_RECOVERED, reason=error.reason, detail=f"{draft.detail}; afterwards {error}")
        draft = replace(draft, after=_shown(after))
        changed = containers.differences(before, after)
        if changed:
            detail = f"{draft.detail}; but meanwhile somebody else changed the container ({', '.join(changed)})"
            return replace(draft, outcome=NOT_RECOVERED, reason="container_replaced", detail=detail)
        if not waited.reached:
            detail = f"{draft.detail}; not healthy for {window:.0f} s without a break within {timeout:.0f} s: {_complaint(waited.last.health)}"
            return replace(draft, outcome=NOT_RECOVERED, reason="not_verified", detail=detail)
        return replace(draft, detail=f"{draft.detail}; healthy for {window:.0f} s without a break")


def _measured(outcome: Outcome, seen: Measurement) -> Outcome:
    return replace(outcome, health=seen.health.to_json(), observed=seen.observed, after=outcome.after or _from_facts(seen.observed))


def _from_facts(observed: Mapping[str, Any]) -> dict[str, Any]:
    known = observed.get("container") or {}
    return {key: known[key] for key in _SHOWN_IN_DIFF if key in known}


def _shown(inspect: Mapping[str, Any]) -> dict[str, Any]:
    state = inspect.get("State") or {}
    return {
        "state": containers.state_of(inspect),
        "health": containers.health_of(inspect),
        "exit_code": int(state.get("ExitCode") or 0),
        "started_at": str(state.get("StartedAt") or ""),
        "image": str(inspect.get("Image") or ""),
        "id": str(inspect.get("Id") or ""),
    }


def _complaint(health: Health) -> str:
    wrong = [check for check in health.checks if check.status in (FAILED, UNMEASURED)] or [check for check in health.checks if check.status != "healthy"]
    return "; ".join(f"{check.name}: {check.message}" for check in wrong) or f"the verdict is {health.overall_status}"
