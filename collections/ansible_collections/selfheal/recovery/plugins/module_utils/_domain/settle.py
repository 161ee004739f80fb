# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Settled: what every attempt of a session came to, once, whoever says it and however often."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Mapping

from .breaker import DEPLOYMENT, RECOVERY, Cause, fail, open_
from .decide import REPAIR
from .events import Event
from .ladder import Conclusion, conclude, next_step
from .observe import cooling_until
from .outcomes import FAILED, NOT_STARTED, RECOVERED, REFUSED, RELAPSED
from .policy import DAY, RECORDS_KEPT, RECURRING_ATTEMPTS, RECURRING_WITHIN_S, REDEPLOY
from .scope import Scope
from .state import Attempt, Instance, Provisional, Record, Service, Session, StepResult
from .times import to_text
from .world import Answer, World, event, instance_scope


def settle(world: World, session_ids: Mapping[str, str], results: Mapping[str, StepResult], now: datetime) -> tuple[World, dict[str, Answer]]:
    """Settle every attempt of these sessions and give their leases back. A session that is settled already stays as it is."""
    answers: dict[str, Answer] = {}
    for key, session_id in session_ids.items():
        service = world.services[key]
        if service.session is not None and service.session.id == session_id:
            world, more = settle_session(world, key, service.session, results, now)
        else:
            more = _as_recorded(key, service, session_id)
        answers.update(more)
    return world, answers


def settle_session(world: World, key: str, session: Session, results: Mapping[str, StepResult], now: datetime) -> tuple[World, dict[str, Answer]]:
    answers: dict[str, Answer] = {}
    service = replace(world.services[key], session=None)
    events: list[Event] = []
    for name, attempt in session.attempts.items():
        attempt, _next = next_step(attempt, results.get(name))
        conclusion = conclude(attempt)
        service, more = _apply(service, key, session, name, attempt, conclusion, now)
        events += more
        answers[name] = _concluded(instance_scope(key, name), service.instance(name), session, attempt, conclusion, now)
    environment_name = key.split("/")[0]
    environment = world.environments[environment_name]
    places = {each: until for each, until in environment.sessions.items() if each != session.id}
    world = world.with_service(key, service, events)
    return world.with_environment(environment_name, replace(environment, sessions=places)), answers


def _apply(service: Service, key: str, session: Session, name: str, attempt: Attempt, conclusion: Conclusion, now: datetime) -> tuple[Service, list[Event]]:
    """Write what an attempt came to into its instance."""
    instance = service.instance(name)
    if conclusion.outcome == NOT_STARTED:
        return service, [event(service, key, session, name, "not_started", conclusion.reason, now)]
    record = Record(
        session_id=session.id,
        started_at=attempt.begun_at,
        settled_at=to_text(now),
        outcome=conclusion.outcome,
        reason=attempt.reason if conclusion.outcome == RECOVERED else conclusion.reason,
        rung=conclusion.rung,
        triggered_by=session.triggered_by,
        detail=conclusion.detail[:500],
    )
    instance = replace(instance, records=(*instance.records, record)[-RECORDS_KEPT:], provisional=None)
    cause = Cause(now, str(instance_scope(key, name)), service.threshold(RECOVERY), conclusion.reason or attempt.reason, session.triggered_by, session.id)
    if conclusion.outcome == RECOVERED:
        provisional = Provisional(session.id, to_text(now), attempt.policy.proven_after_s, redeployed=conclusion.rung == REDEPLOY)
        instance = replace(instance, provisional=provisional, cooling_until="")
        events = [event(service.with_instance(name, instance), key, session, name, "recovered", attempt.reason, now)]
    else:
        track, events = fail(instance.recovery, cause)
        until = cooling_until(attempt.policy, track.failure_count, now, session.id)
        instance = replace(instance, recovery=track, cooling_until=until)
        if conclusion.rung == REDEPLOY or any(result.rung == REDEPLOY and result.mutated for result in attempt.results):
            deployment, more = fail(service.deployment, replace(cause, scope=key, threshold=service.threshold(DEPLOYMENT)))
            service, events = replace(service, deployment=deployment), events + more
    if _attempts_since(instance, now, DAY) >= attempt.policy.daily_budget:
        track, more = open_(instance.recovery, replace(cause, reason=f"{attempt.policy.daily_budget} attempts within 24 h"), "daily_budget")
        instance, events = replace(instance, recovery=track), events + more
    return service.with_instance(name, instance), events


def _attempts_since(instance: Instance, now: datetime, seconds: float) -> int:
    """How many attempts began within the last ``seconds``, and after the last full close of the breaker."""
    earliest = to_text(now - timedelta(seconds=seconds))
    return sum(record.started_at >= earliest and record.started_at > instance.recovery.budget_from for record in instance.records)


def _concluded(scope: Scope, instance: Instance, session: Session, attempt: Attempt, conclusion: Conclusion, now: datetime) -> Answer:
    """What the run came to for one instance, in the words of ``result.json``."""
    track = instance.recovery
    reason, detail = conclusion.reason, conclusion.detail
    if conclusion.outcome == RECOVERED:
        often = _attempts_since(instance, now, RECURRING_WITHIN_S)
        if often >= RECURRING_ATTEMPTS:
            outcome, reason = "escalated", "recurring"
            detail = f"{conclusion.rung} cured it, but it was the {often}. repair within {RECURRING_WITHIN_S // 3600} h: look for the cause"
        else:
            outcome, reason = "recovered", attempt.reason
    elif conclusion.outcome == FAILED:
        outcome, reason = "escalated", conclusion.reason or "repair_failed"
    else:
        refused = attempt.results and attempt.results[-1].outcome == REFUSED
        outcome = "refused" if refused or not attempt.results else "escalated"
    if track.is_open:
        detail = f"{detail + '. ' if detail else ''}The recovery breaker is open ({track.last_trigger}: {track.trigger_reason})"
    return Answer(scope, REPAIR, reason, detail, outcome, session.id, attempt.wave, rung=conclusion.rung)


def _as_recorded(key: str, service: Service, session_id: str) -> dict[str, Answer]:
    """The answers of a session that somebody settled before."""
    answers = {}
    for name, instance in service.instances.items():
        for record in instance.records:
            if record.session_id == session_id:
                well = record.outcome not in (FAILED, RELAPSED)
                detail = f"settled before, at {record.settled_at}, as {record.outcome}"
                outcome = "recovered" if well else "escalated"
                answers[name] = Answer(instance_scope(key, name), REPAIR, record.reason, detail, outcome, session_id, rung=record.rung)
    return answers
