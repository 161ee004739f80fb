# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Begun: remember what was measured, take over what expired, decide, and write the attempts of those that may act."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Mapping

from .breaker import DEPLOYMENT, RECOVERY
from .decide import NONE, REFUSED, REPAIR, Case, Decision, Numbers, decide, lease_is_over
from .errors import BadInput
from .inputs import Observation
from .observe import is_sick, last_sample, observe
from .policy import FRESH_SAMPLE_S
from .scope import Scope
from .settle import settle_session
from .state import ACTING, WAITING, Attempt, Environment, Service, Session
from .times import from_text, to_text
from .world import Answer, Request, World, event, told, with_place


def begin(world: World, request: Request, now: datetime) -> tuple[World, dict[str, Answer]]:
    """Remember what was measured, take over what expired, decide on every instance, and write the attempts of those that may act."""
    names = [seen.scope.instance for seen in request.observations]
    if len(set(names)) < len(names):
        raise BadInput(f"expected each instance once, found {max(names, key=names.count)!r} twice")
    keys = sorted({seen.scope.service_key for seen in request.observations})
    for key in keys:
        world = _remember(world, key, request, now)
    answers: dict[str, Answer] = {}
    for key in keys:
        world, more = _admit(world, key, request, now)
        answers.update(more)
    return world, answers


def _remember(world: World, key: str, request: Request, now: datetime) -> World:
    """Fold the measurements of one service into its document, and take over an expired session."""
    seen_here = [seen for seen in request.observations if seen.scope.service_key == key]
    service = world.services[key]
    strictest = {
        RECOVERY: min(seen.policy.recovery_threshold for seen in seen_here),
        DEPLOYMENT: min(seen.policy.deployment_threshold for seen in seen_here),
    }
    world = world.with_service(key, replace(service, configured=strictest))
    session = service.session
    if session is not None and lease_is_over(session.expires_at, now):
        world, _answers = settle_session(world, key, session, {}, now)
    for seen in seen_here:
        service, events = observe(world.services[key], seen, now, request.inputs.triggered_by)
        world = world.with_service(key, service, events)
    return _remember_sickness(world, key, seen_here, now)


def _remember_sickness(world: World, key: str, seen_here: list[Observation], now: datetime) -> World:
    scope = seen_here[0].scope
    environment = world.environments[scope.environment]
    service = world.services[key]
    sick = dict(environment.sick)
    observed = {seen.scope.instance for seen in seen_here}
    others = [last_sample(instance, now, FRESH_SAMPLE_S) for name, instance in service.instances.items() if name not in observed]
    if any(map(is_sick, seen_here)) or any(sample and sample.sick for sample in others):
        sick.setdefault(scope.service, to_text(now))
    else:
        sick.pop(scope.service, None)
    places = {session: until for session, until in environment.sessions.items() if now < from_text(until)}
    return world.with_environment(scope.environment, replace(environment, sick=sick, sessions=places))


def _admit(world: World, key: str, request: Request, now: datetime) -> tuple[World, dict[str, Answer]]:
    """Decide on every instance of one service, and begin one session for those that may be repaired."""
    seen_here = sorted((seen for seen in request.observations if seen.scope.service_key == key), key=lambda seen: seen.scope.instance)
    service = world.services[key]
    environment = world.environments[seen_here[0].scope.environment]
    decisions = {}
    for seen in seen_here:
        numbers = _numbers(service, environment, seen, request, now)
        case = Case(now, seen, service.instance(seen.scope.instance), service, environment, request.inputs, numbers, request.store_id)
        decisions[seen.scope.instance] = decide(case)
    chosen = [seen for seen in seen_here if decisions[seen.scope.instance].action == REPAIR]
    if chosen and len(environment.sessions) >= min(seen.policy.max_sessions for seen in chosen):
        running = ", ".join(sorted(environment.sessions))
        for seen in chosen:
            decisions[seen.scope.instance] = Decision(REFUSED, "in_progress", f"as many sessions as allowed are running here: {running}")
        chosen = []
    answers = {seen.scope.instance: _undecided(seen.scope, decisions[seen.scope.instance]) for seen in seen_here}
    if not chosen:
        return world, answers
    world, session = _begin_session(world, key, seen_here, chosen, decisions, request, now)
    answers.update(told(key, world.services[key], session, decisions))
    return world, answers


def _numbers(service: Service, environment: Environment, seen: Observation, request: Request, now: datetime) -> Numbers:
    """The fleet's numbers as seen by one instance; an instance that was not measured now counts by a fresh enough sample."""
    scope = seen.scope
    observed = {each.scope.instance: each for each in request.observations if each.scope.service_key == scope.service_key}
    members = {each.instance for each in request.fleet if each.service_key == scope.service_key} | set(observed)
    sick = sum(map(is_sick, observed.values()))
    serving = sum(each.serves for name, each in observed.items() if name != scope.instance)
    for name in members - set(observed):
        sample = last_sample(service.instance(name), now, FRESH_SAMPLE_S)
        if sample is not None:
            sick += sample.sick
            serving += sample.serves
    services = {each.service for each in (*request.fleet, *(each.scope for each in request.observations)) if each.environment == scope.environment}
    turned_sick = _largest_group([from_text(since) for service_name, since in environment.sick.items() if service_name in services], seen.policy.storm_window_s)
    return Numbers(len(members), sick, serving, len(services), turned_sick)


def _largest_group(moments: list[datetime], seconds: float) -> int:
    """How many of the services that are still sick turned so within one window: a storm lasts until they are well, not until a clock says so."""
    window = timedelta(seconds=seconds)
    return max((sum(first <= moment <= first + window for moment in moments) for first in moments), default=0)


def _begin_session(
    world: World,
    key: str,
    seen_here: list[Observation],
    chosen: list[Observation],
    decisions: Mapping[str, Decision],
    request: Request,
    now: datetime,
) -> tuple[World, Session]:
    service = world.services[key]
    name = chosen[0].scope.environment
    environment = world.environments[name]
    policy = chosen[0].policy
    # A rung is verified for up to twice the start period in one call, during which nobody renews the lease.
    lease_s = policy.lease_s + int(2 * max(seen.start_period_s for seen in chosen))
    serving = any(seen.serves for seen in seen_here) or _others_serve(service, seen_here, now)
    attempts = {}
    for position, seen in enumerate(chosen):
        wave = position if serving else 0
        decision = decisions[seen.scope.instance]
        attempts[seen.scope.instance] = Attempt(
            reason=decision.reason,
            rungs=decision.rungs,
            begun_at=to_text(now),
            policy=seen.policy,
            boot_id=str(seen.clock.get("boot_id", "")),
            clock_s=float(seen.clock.get("seconds", 0)),
            wave=wave,
            state=WAITING if wave else ACTING,
        )
    session = Session(
        id=f"recovery-{now:%Y%m%dT%H%M%SZ}-{request.tail(key)}",
        token=service.fence + 1,
        holder=request.holder,
        triggered_by=request.inputs.triggered_by,
        begun_at=to_text(now),
        expires_at=to_text(now + timedelta(seconds=lease_s)),
        deadline=to_text(now + timedelta(seconds=policy.session_deadline_s)),
        lease_s=lease_s,
        attempts=attempts,
    )
    events = [event(service, key, session, instance, "attempt_begun", attempt.reason, now) for instance, attempt in attempts.items()]
    world = world.with_service(key, replace(service, session=session, fence=session.token), events)
    return world.with_environment(name, with_place(environment, session)), session


def _others_serve(service: Service, seen_here: list[Observation], now: datetime) -> bool:
    observed = {seen.scope.instance for seen in seen_here}
    samples = [last_sample(instance, now, FRESH_SAMPLE_S) for name, instance in service.instances.items() if name not in observed]
    return any(sample is not None and sample.serves for sample in samples)


def _undecided(scope: Scope, decision: Decision) -> Answer:
    outcome = {NONE: "none", REFUSED: "refused"}.get(decision.action, "escalated")
    if decision.reason == "unreachable":
        outcome = "unreachable"
    return Answer(scope, decision.action, decision.reason, decision.detail, outcome)
