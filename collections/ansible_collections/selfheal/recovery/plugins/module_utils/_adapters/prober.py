# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All probes of one instance at once, under one deadline, and the verdict of what they say."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Mapping, Sequence

from .._domain import container as containers
from .._domain.errors import RecoveryError
from .._domain.masking import Masker
from .._domain.scope import Scope
from .._domain.times import to_text
from .._domain.timing import startup_grace
from .._domain.verdict import FUNCTIONAL_KINDS, UNKNOWN, UNMEASURED, Check, Health, overall
from .background import Background
from .clock import Clock, SystemClock
from .deadline import TIMEOUTS, Deadline
from .engine.client import CALL_SECONDS, Engine
from .engine.errors import EngineFailure, NoSuchContainer
from .host_guard import HostGuard
from .probes.kind import Context, Probe, Result, Unmeasured
from .probes.memory import Memory

MODULE_DEADLINE = 30.0
# A probe ends this much before the whole measurement, so that it says itself what it saw.
_LAST_WORDS_S = 0.5


@dataclass(frozen=True)
class Measurement:
    """``health`` in the contract's shape, and the facts about container and host that decisions need besides."""

    health: Health
    observed: dict[str, Any]


@dataclass(frozen=True)
class Prober:
    """Measures one instance. ``grace`` is the configured startup grace, ``None`` for the default.

    In ``check_mode`` nothing is written: probes that write to the service do not run, and nothing is remembered.
    """

    scope: Scope
    container: str
    probes: Sequence[Probe]
    engine: Engine
    guard: HostGuard
    session_id: str = ""
    grace: float | None = None
    seconds: float = MODULE_DEADLINE
    clock: Clock = SystemClock()
    check_mode: bool = False

    def impatient(self) -> Prober:
        """The same, but asking once where this one asks again before it believes: for a look that nothing is decided on."""
        once = {"attempts": 1}
        probes = tuple(replace(probe, options={**probe.options, **once}) if once.keys() <= probe.options.keys() else probe for probe in self.probes)
        return replace(self, probes=probes)

    def measure(self, seconds: float | None = None) -> Measurement:
        """One measurement; it ends within ``seconds`` (default: the prober's) whatever hangs, and never raises for what it finds."""
        deadline = Deadline(self.seconds if seconds is None else seconds)
        look = Background(lambda: self.engine.inspect(self.container, deadline.within(CALL_SECONDS)), "inspect")
        image = Background(lambda: self._digest(look, deadline), "image")
        running = [(probe, self._start(probe, look, deadline)) for probe in self.probes if not self._skipped(probe)]
        checks = [self._finish(probe, work, began) for probe, (work, began) in running]

        inspect, trouble = self._seen(look, deadline)
        if trouble and not any(check.kind == "docker" for check in checks):
            checks.append(Check("engine", "docker", UNMEASURED, critical=True, message=trouble))
        now = self.clock.now()
        starting = containers.is_starting(inspect, self._grace(inspect), now) if inspect else False
        guard = self._guard()
        health = Health(
            timestamp=to_text(now),
            session_id=self.session_id,
            scope=str(self.scope),
            host=os.uname().nodename,
            overall_status=overall(checks, starting) if checks else UNKNOWN,
            checks=tuple(checks),
            errors=tuple(f"{check.name}: {check.message}" for check in checks if check.status == UNMEASURED) if checks else ("nothing was measured",),
            warnings=self._warnings(inspect, guard),
        )
        return Measurement(
            health,
            {
                "container": None
                if trouble
                else containers.facts(inspect, self._image(image, deadline), now)
                if inspect
                else containers.missing(self.container),
                "starting": starting,
                "clock": {"boot_id": self.clock.boot_id(), "seconds": round(self.clock.boot_seconds(), 3)},
                "host_uptime_s": round(self.clock.boot_seconds(), 1),
                "guard": guard,
            },
        )

    def _skipped(self, probe: Probe) -> bool:
        return self.check_mode and probe.kind.writes

    def _start(self, probe: Probe, look: Background[dict[str, Any]], deadline: Deadline) -> tuple[Background[Result], Deadline]:
        room = max(0.1, deadline.left - _LAST_WORDS_S)
        own = deadline.within(min(probe.deadline, room))
        context = Context(
            engine=self.engine,
            container=self.container,
            inspect=partial(_inspected, look, own),
            deadline=own,
            cut_short=probe.deadline > room,
            clock=self.clock,
            options=probe.options,
            mask=partial(_masked, look, own),
            memory=Memory(self.guard.directory / "probes", f"{self.scope} {probe.name}", writes=not self.check_mode),
        )
        return Background(partial(probe.kind.measure, context), probe.name), own

    def _finish(self, probe: Probe, work: Background[Result], own: Deadline) -> Check:
        """The probe's check; one that outlives its deadline is left behind, and proves nothing."""
        try:
            result = work.result(own.left + _LAST_WORDS_S / 2)
        except TIMEOUTS:
            result = Result(UNMEASURED, f"no result within {own.seconds:.1f} s: the measurement hangs")
        except RecoveryError as error:
            result = Result(UNMEASURED, str(error))
        except Exception as error:  # noqa: BLE001 - a probe with a fault of its own says nothing about the service, and must not silence the others
            result = Result(UNMEASURED, f"the probe itself failed: {error!r:.300}")
        duration_ms = round(1000 * work.seconds)
        remedy = probe.remedy_of(result)
        return Check(probe.name, probe.kind.name, result.status, probe.critical, remedy, duration_ms, result.message, dict(result.metrics))

    def _seen(self, look: Background[dict[str, Any]], deadline: Deadline) -> tuple[Mapping[str, Any], str]:
        """The container's description, empty when there is none; or why the engine does not tell."""
        try:
            return look.result(deadline.left), ""
        except NoSuchContainer:
            return {}, ""
        except TIMEOUTS:
            return {}, f"the container engine did not answer within {deadline.seconds:.1f} s"
        except RecoveryError as error:
            return {}, str(error)

    def _digest(self, look: Background[dict[str, Any]], deadline: Deadline) -> str:
        """The repository digest of the container's image; empty when the engine does not tell, or the image has none."""
        try:
            inspect = look.result(deadline.left)
            image = self.engine.image(str(inspect.get("Image") or ""), deadline.within(CALL_SECONDS))
        except (RecoveryError, *TIMEOUTS):
            return ""
        return containers.repo_digest(str((inspect.get("Config") or {}).get("Image") or ""), image.get("RepoDigests") or [])

    def _image(self, image: Background[str], deadline: Deadline) -> str:
        try:
            return image.result(deadline.left)
        except TIMEOUTS:
            return ""

    def _grace(self, inspect: Mapping[str, Any]) -> float:
        return startup_grace(self.grace, containers.health_check(inspect)[0])

    def _guard(self) -> dict[str, Any]:
        try:
            return self.guard.read(self.scope)
        except RecoveryError as error:
            return {"store_id": "", "journal": None, "error": str(error)}

    def _warnings(self, inspect: Mapping[str, Any], guard: Mapping[str, Any]) -> tuple[str, ...]:
        warnings = []
        if guard.get("error"):
            warnings.append(f"no action can be taken on this host: {guard['error']}")
        skipped = [probe.name for probe in self.probes if self._skipped(probe)]
        if skipped:
            warnings.append(f"not measured in check mode, because it writes to the service: {', '.join(skipped)}")
        functional = any(probe.kind.name in FUNCTIONAL_KINDS for probe in self.probes)
        if not functional and not (inspect and containers.health_check(inspect)[1]):
            warnings.append(
                f"{self.scope.instance or self.container or self.scope} has neither a functional probe ({', '.join(sorted(FUNCTIONAL_KINDS))})"
                " nor a Docker health check: that its container runs proves little"
            )
        return tuple(warnings)


def _inspected(look: Background[dict[str, Any]], deadline: Deadline) -> Mapping[str, Any]:
    try:
        return look.result(deadline.left)
    except TIMEOUTS as error:
        raise Unmeasured(f"the container engine did not describe the container within {deadline.seconds:.1f} s") from error


def _masked(look: Background[dict[str, Any]], deadline: Deadline, text: str) -> str:
    """``text`` without the values of the container's environment; nothing of it when that is not known."""
    try:
        return Masker(containers.environment(look.result(deadline.left))).text(text)
    except NoSuchContainer:
        return Masker(()).text(text)
    except (EngineFailure, *TIMEOUTS):
        return ""
