# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Advanced: take the results of the steps that ran, renew the lease, and say what comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Mapping

from .decide import REFUSED, pause_holds
from .inputs import PERSISTENT_DEGRADATION
from .ladder import conclude, next_step, release
from .outcomes import RECOVERED, UNREACHABLE
from .state import ACTING, DONE, WAITING, Attempt, Environment, Service, Session, StepResult
from .times import from_text, to_text
from .world import Answer, World, instance_scope, told, with_place


def advance(world: World, session_ids: Mapping[str, str], results: Mapping[str, StepResult], now: datetime) -> tuple[World, dict[str, Answer]]:
    """Take the results of the steps that ran, renew the leases, and say each instance's next step.

    ``session_ids`` maps service keys to the sessions this run holds. A lease that expired, or that somebody else holds by now, is not renewed.
    """
    answers: dict[str, Answer] = {}
    for key, session_id in session_ids.items():
        service = world.services[key]
        session = service.session
        if session is None or session.id != session_id:
            continue
        if now >= from_text(session.expires_at):
            world, more = _lost(world, key, session, results)
        else:
            world, more = _advance(world, key, service, session, results, now)
        answers.update(more)
    return world, answers


def _advance(world: World, key: str, service: Service, session: Session, results: Mapping[str, StepResult], now: datetime) -> tuple[World, dict[str, Answer]]:
    environment_name = key.split("/")[0]
    environment = world.environments[environment_name]
    over = now >= from_text(session.deadline)
    attempts: dict[str, Attempt] = {}
    for name, attempt in session.attempts.items():
        attempt, _next = next_step(attempt, _answer_of(attempt, results.get(name)))
        if attempt.state != DONE and (over or _stopped(environment, service, name, now)):
            attempt = replace(attempt, state=DONE)
        attempts[name] = attempt
    if any(attempt.state == DONE and conclude(attempt).outcome != RECOVERED for attempt in attempts.values()):
        attempts = {name: _spared(attempt) for name, attempt in attempts.items()}
    if not any(attempt.state == ACTING for attempt in attempts.values()):
        due = min((attempt.wave for attempt in attempts.values() if attempt.state == WAITING), default=-1)
        attempts = {name: release(attempt) if attempt.wave == due else attempt for name, attempt in attempts.items()}
    session = replace(session, attempts=attempts, expires_at=to_text(now + timedelta(seconds=session.lease_s)))
    service = replace(service, session=session)
    world = world.with_service(key, service).with_environment(environment_name, with_place(environment, session))
    return world, told(key, service, session)


def _spared(attempt: Attempt) -> Attempt:
    """One that still serves, though degraded, has its turn only while those before it came back: it may be the last that serves."""
    return replace(attempt, state=DONE) if attempt.state == WAITING and attempt.reason == PERSISTENT_DEGRADATION else attempt


def _stopped(environment: Environment, service: Service, name: str, now: datetime) -> bool:
    """Whether a person stopped this instance since it was admitted."""
    instance = service.instance(name)
    pauses = (environment.pause, service.pause, instance.pause)
    return service.hold.is_open or instance.recovery.is_open or any(pause is not None and pause_holds(pause, now) for pause in pauses)


def _lost(world: World, key: str, session: Session, results: Mapping[str, StepResult]) -> tuple[World, dict[str, Answer]]:
    """The lease ran out while nobody had taken over yet: keep what is known, do nothing more."""
    attempts = {name: next_step(attempt, results.get(name))[0] for name, attempt in session.attempts.items()}
    world = world.with_service(key, replace(world.services[key], session=replace(session, attempts=attempts)))
    detail = f"the lease of {session.id} ran out at {session.expires_at}"
    return world, {name: Answer(instance_scope(key, name), REFUSED, "lease_expired", detail, "refused", session.id) for name in session.attempts}


def _answer_of(attempt: Attempt, result: StepResult | None) -> StepResult | None:
    """The result of the step that was running; one that never answered may have changed something, and ends its attempt."""
    if attempt.state != ACTING or (result is not None and result.step == attempt.step):
        return result
    return StepResult(attempt.step, attempt.rungs[attempt.step], UNREACHABLE, "no_answer", "the step never said how it ended", mutated=True)
