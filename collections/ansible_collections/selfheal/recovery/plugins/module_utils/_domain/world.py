# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a transaction works on, and what it answers: the documents it loaded, the run that asks, one answer per instance."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Callable, Mapping

from .breaker import RECOVERY
from .decide import REPAIR, Decision, place_until
from .events import Event
from .inputs import MANUALLY_FORCED, Inputs, Observation
from .ladder import Next, next_step
from .scope import Scope
from .state import Attempt, Environment, Service, Session
from .times import from_text, to_text


@dataclass(frozen=True)
class Request:
    """A run at the gate. ``fleet`` is the whole inventory's instances, whatever ``--limit`` says; ``tail`` makes 8 hex digits of a service key."""

    observations: tuple[Observation, ...]
    fleet: tuple[Scope, ...]
    inputs: Inputs
    holder: str
    store_id: str
    tail: Callable[[str], str]


@dataclass(frozen=True)
class Answer:
    """What one instance is told.

    ``action`` and ``reason`` are the decision; ``next`` says what to do now; ``fence`` (with a step to run) is what its host checks;
    ``outcome`` is what the run came to for this instance so far, in the words of ``result.json``.
    """

    scope: Scope
    action: str
    reason: str
    detail: str = ""
    outcome: str = "none"
    session_id: str = ""
    wave: int = 0
    next: Next = Next()
    fence: Mapping[str, Any] = field(default_factory=dict)
    rung: str = ""


@dataclass(frozen=True)
class World:
    """The documents a transaction loaded: services by ``environment/service``, environments by name."""

    services: Mapping[str, Service]
    environments: Mapping[str, Environment]
    events: tuple[Event, ...] = ()

    def with_service(self, key: str, service: Service, events: list[Event] | tuple[Event, ...] = ()) -> World:
        """This world with one service replaced and events appended."""
        return replace(self, services={**self.services, key: service}, events=(*self.events, *events))

    def with_environment(self, name: str, environment: Environment) -> World:
        """This world with one environment replaced."""
        return replace(self, environments={**self.environments, name: environment})


def told(key: str, service: Service, session: Session, decisions: Mapping[str, Decision] | None = None) -> dict[str, Answer]:
    """What the instances of a running session are told."""
    answers = {}
    for name, attempt in session.attempts.items():
        scope = instance_scope(key, name)
        attempt, following = next_step(attempt)
        detail = decisions[name].detail if decisions and name in decisions else ""
        answers[name] = Answer(
            scope,
            REPAIR,
            attempt.reason,
            detail,
            session_id=session.id,
            wave=attempt.wave,
            next=following,
            fence=_fence(scope, session, attempt) if following.rung else {},
        )
    return answers


def _fence(scope: Scope, session: Session, attempt: Attempt) -> dict[str, Any]:
    """What the host checks. ``not_after`` is in the host's own clock: as it was read before the attempt began, plus the lease since then."""
    held = (from_text(session.expires_at) - from_text(attempt.begun_at)).total_seconds()
    return {
        "session_id": session.id,
        "scope": str(scope),
        "token": session.token,
        "step": attempt.step,
        "recheck": attempt.wave > 0 and attempt.step == 0 and attempt.reason != MANUALLY_FORCED,
        "not_after": {"boot_id": attempt.boot_id, "seconds": attempt.clock_s + held},
    }


def with_place(environment: Environment, session: Session) -> Environment:
    """The environment with the session's place taken until its lease is over."""
    return replace(environment, sessions={**environment.sessions, session.id: place_until(session.expires_at)})


def instance_scope(key: str, name: str) -> Scope:
    return Scope.parse(f"{key}/{name}")


def event(service: Service, key: str, session: Session, name: str, action: str, reason: str, now: datetime) -> Event:
    return Event(
        timestamp=to_text(now),
        scope=f"{key}/{name}",
        track=RECOVERY,
        action=action,
        reason=reason,
        triggered_by=session.triggered_by,
        session_id=session.id,
        failure_count=service.instance(name).recovery.failure_count,
        threshold=service.threshold(RECOVERY),
    )
