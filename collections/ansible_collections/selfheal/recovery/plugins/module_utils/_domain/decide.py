# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whether to act on one instance, and why not (contract, "Deciding").

``decide`` is pure and the same for a run and for ``--check``. What stands in the way of acting is a list of gates, asked in order; the first
that has something to say is the reason.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta

from .inputs import HEALTH_CHECK_FAILED, MANUALLY_FORCED, PERSISTENT_DEGRADATION, Inputs, Observation
from .policy import DEGRADED_SAMPLES, REDEPLOY, TAKEOVER_S
from .state import Environment, Instance, Pause, Service
from .times import from_text, to_text
from .verdict import DEGRADED, HEALTHY, UNHEALTHY, UNKNOWN

NONE = "none"
REPAIR = "repair"
REFUSED = "refused"
ESCALATE = "escalate"

# Refusals that only ask for patience: nobody needs to come.
PATIENT = frozenset({"lease_held", "in_progress", "cooling_down", "paused", "maintenance_window", "healthy_again"})


@dataclass(frozen=True)
class Decision:
    """What to do with one instance: ``none``, ``repair``, ``refused`` or ``escalate``, with its reason code and a sentence."""

    action: str
    reason: str
    detail: str = ""
    rungs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Numbers:
    """How the fleet looks: of the service's instances, and of the environment's services. Counted over the inventory, before ``--limit``."""

    instances: int
    sick: int
    serving: int
    services: int
    turned_sick: int


@dataclass(frozen=True)
class Case:
    """Everything a decision on one instance rests on, as of ``now``."""

    now: datetime
    observed: Observation
    instance: Instance
    service: Service
    environment: Environment
    inputs: Inputs
    numbers: Numbers
    store_id: str = ""


def decide(case: Case) -> Decision:
    """The decision on one instance."""
    seen = case.observed
    if seen.ladder == UNKNOWN or seen.verdict == UNKNOWN:
        return _unmeasured(case)
    if seen.container_state == "paused":
        return Decision(ESCALATE, "container_paused", "somebody paused this container: it is left alone until it is unpaused")
    wanted = _wanted(case)
    if wanted.action != REPAIR:
        return wanted
    for gate in _GATES:
        refusal = gate(case)
        if refusal is not None:
            return refusal
    return wanted


def _unmeasured(case: Case) -> Decision:
    seen = case.observed
    if seen.unreachable:
        return Decision(ESCALATE, "unreachable", seen.detail or "its host does not answer")
    since = case.instance.starting_since
    if not (seen.starting and since):
        return Decision(ESCALATE, "unknown", seen.detail or "it could not be measured")
    grace = max(seen.policy.startup_grace_s, seen.start_period_s)
    waited = (case.now - from_text(since)).total_seconds()
    if waited <= 2 * grace:
        return Decision(NONE, "starting", f"it is starting, and has {grace:.0f} s to do so")
    return Decision(ESCALATE, "starting_too_long", f"it has been starting for {waited:.0f} s, more than twice its {grace:.0f} s. {seen.detail}")


def _wanted(case: Case) -> Decision:
    """What the measurements and the person at the door ask for, before any gate."""
    seen, inputs = case.observed, case.inputs
    # An open deployment track blocks deployments, and only those.
    ladder = tuple(rung for rung in seen.policy.ladder if rung != REDEPLOY or not case.service.deployment.is_open)
    if inputs.force_redeployment:
        return _hand_over("a redeployment was asked for")
    if seen.ladder == UNHEALTHY:
        if inputs.skip_recovery_actions or not ladder:
            return _hand_over("the ladder was skipped" if ladder else "the ladder is empty")
        reason = HEALTH_CHECK_FAILED if inputs.recovery_reason == PERSISTENT_DEGRADATION else inputs.recovery_reason
        return Decision(REPAIR, reason, seen.detail, ladder)
    if inputs.recovery_reason == MANUALLY_FORCED and ladder:
        return Decision(REPAIR, MANUALLY_FORCED, "a person asked for it", ladder[:1])
    wanted = _degraded(case) if seen.ladder == DEGRADED else None
    if wanted is not None and wanted.action != NONE:
        return wanted
    # A rung may cure what is merely watched, and not what a person has to come for: that is told at once.
    if seen.verdict != HEALTHY and (seen.reported or wanted is None):
        return Decision(ESCALATE, "report_only", f"no rung can cure this: {seen.reported or seen.detail}")
    if wanted is not None:
        return wanted
    return Decision(NONE, "not_sick", "measured healthy")


def _hand_over(why: str) -> Decision:
    return Decision(ESCALATE, "no_candidate", f"{why}, and no redeployment is configured for this service")


def _degraded(case: Case) -> Decision:
    recent = case.instance.samples[-DEGRADED_SAMPLES:]
    if len(recent) < DEGRADED_SAMPLES or any(sample.ladder not in (DEGRADED, UNHEALTHY) for sample in recent):
        return Decision(NONE, "degraded_watching", case.observed.detail)
    if case.numbers.serving < 1:
        return Decision(ESCALATE, "last_serving_instance", f"degraded, but no other instance serves: {case.observed.detail}")
    if "container_restart" not in case.observed.policy.ladder:
        return Decision(ESCALATE, PERSISTENT_DEGRADATION, "degraded, and only container_restart may be tried, which is not in the ladder")
    return Decision(REPAIR, PERSISTENT_DEGRADATION, case.observed.detail, ("container_restart",))


# The gates, in the order they are asked.


def _paused(case: Case) -> Decision | None:
    for what, pause in (
        (case.observed.scope.environment, case.environment.pause),
        (case.observed.scope.service_key, case.service.pause),
        (str(case.observed.scope), case.instance.pause),
    ):
        if pause is not None and pause_holds(pause, case.now):
            return Decision(REFUSED, "paused", f"{what} is paused until {pause.until} by {pause.by}: {pause.reason}")
    return None


def pause_holds(pause: Pause, now: datetime) -> bool:
    """Whether a pause is still in force."""
    return now < from_text(pause.until)


def _foreign_store(case: Case) -> Decision | None:
    known = case.observed.guard_store
    if not known or known == case.store_id or known in case.environment.adopts:
        return None
    return Decision(
        REFUSED,
        "foreign_store",
        f"its host is guarded by the state store {known}, and this run has {case.store_id}: two stores would each have their own breaker."
        f" If this one is to take over: selfheal state adopt --from {known} --reason WHY",
    )


def _breaker_open(case: Case) -> Decision | None:
    scope = case.observed.scope
    for track, of in ((case.service.hold, scope.service_key), (case.instance.recovery, str(scope))):
        if track.is_open:
            return Decision(
                REFUSED,
                "breaker_open",
                f"the recovery breaker of {of} is open since {track.opened_at} ({track.failure_count} failures, {track.last_trigger}:"
                f" {track.trigger_reason}). When the cause is mended: selfheal breaker close --scope {shlex.quote(of)}",
            )
    return None


def _lease_held(case: Case) -> Decision | None:
    session = case.service.session
    if session is None:
        return None
    return Decision(REFUSED, "lease_held", f"session {session.id} of {session.holder} holds {case.observed.scope.service_key} until {session.expires_at}")


def _cooling_down(case: Case) -> Decision | None:
    until = case.instance.cooling_until
    if not until or case.now >= from_text(until) or case.inputs.forced:
        return None
    return Decision(REFUSED, "cooling_down", f"the last attempt failed; the next one may begin at {until}")


def _blast_radius(case: Case) -> Decision | None:
    numbers, percent = case.numbers, case.observed.policy.max_unhealthy_percent
    if numbers.instances <= 2 or numbers.sick <= max(1, numbers.instances * percent / 100):
        return None
    return Decision(
        REFUSED,
        "blast_radius",
        f"{numbers.sick} of {numbers.instances} instances are sick, more than {percent} %: that looks like a shared cause, and nobody is touched",
    )


def _storm(case: Case) -> Decision | None:
    numbers, policy = case.numbers, case.observed.policy
    if numbers.turned_sick <= max(policy.storm_floor, numbers.services * policy.storm_percent / 100):
        return None
    return Decision(
        REFUSED,
        "storm",
        f"{numbers.turned_sick} of {numbers.services} services turned sick within {policy.storm_window_s // 60} min:"
        " that looks like a shared cause, and nobody is touched",
    )


_GATES = (_paused, _foreign_store, _breaker_open, _lease_held, _cooling_down, _blast_radius, _storm)


def lease_is_over(expires_at: str, now: datetime) -> bool:
    """Whether somebody else may take over: the lease has expired, and the take-over delay has passed."""
    return now >= from_text(expires_at) + timedelta(seconds=TAKEOVER_S)


def place_until(expires_at: str) -> str:
    """When the place of a session in its environment is free again, if nobody gives it back before."""
    return to_text(from_text(expires_at) + timedelta(seconds=TAKEOVER_S))
