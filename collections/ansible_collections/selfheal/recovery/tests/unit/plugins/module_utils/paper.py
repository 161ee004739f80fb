# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A fleet on paper: what the role does with the domain's answers, without hosts, engines or a clock of its own."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, Callable

from ansible_collections.selfheal.recovery.plugins.module_utils._domain import state
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.advance import advance
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.begin import begin
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.events import Event
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.inputs import Inputs, Observation
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.policy import Policy
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.scope import Scope
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.settle import settle
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.state import Environment, Instance, Service, StepResult
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.world import Answer, Request, World

KEY = "production/web"
BEGINNING = datetime(2026, 1, 1, tzinfo=timezone.utc)

Cure = Callable[[str, str], str]


def never(_instance: str, _rung: str) -> str:
    """No rung cures anything."""
    return "failed"


def always(_instance: str, _rung: str) -> str:
    """The first rung cures everything."""
    return "recovered"


@dataclass
class Paper:
    """State on paper, and runs against it. Every transaction goes through the documents' JSON form, as in a real store."""

    policy: Policy = field(default_factory=Policy)
    now: datetime = BEGINNING
    documents: dict[str, Any] = field(default_factory=dict)
    environments: dict[str, Any] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    runs: int = 0

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def service(self, key: str = KEY) -> Service:
        return state.service_from_json(key, self.documents.get(key))

    def instance(self, name: str = "web1", key: str = KEY) -> Instance:
        return self.service(key).instance(name)

    def environment(self, name: str = "production") -> Environment:
        return state.environment_from_json(name, self.environments.get(name))

    def store(self, world: World) -> None:
        for key, service in world.services.items():
            self.documents[key] = json.loads(json.dumps(state.to_json(service)))
        for name, environment in world.environments.items():
            self.environments[name] = json.loads(json.dumps(state.to_json(environment)))
        self.events += world.events

    def change(self, function: Callable[[Service], tuple[Service, list[Event]]], key: str = KEY) -> list[Event]:
        """One operator's command on a service."""
        service, events = function(self.service(key))
        self.store(World({key: service}, {}, tuple(events)))
        return events

    def see(self, name: str, verdict: str, key: str = KEY, **more: Any) -> Observation:
        ladder = more.pop("ladder", verdict)
        return Observation(Scope.parse(f"{key}/{name}"), verdict, ladder, more.pop("policy", self.policy), clock={"boot_id": "b", "seconds": 100}, **more)

    def begin(self, *seen: Observation, inputs: Inputs = Inputs(), fleet: tuple[Scope, ...] = (), holder: str = "cron@control") -> dict[str, Answer]:
        self.runs += 1
        run = self.runs
        keys = {each.scope.service_key for each in seen}
        world = World({key: self.service(key) for key in keys}, {key.split("/")[0]: self.environment(key.split("/")[0]) for key in keys})
        request = Request(seen, fleet, inputs, holder, "0" * 32, lambda key: hashlib.sha256(f"{run} {key}".encode()).hexdigest()[:8])
        world, answers = begin(world, request, self.now)
        self.store(world)
        return answers

    def _session(self, function: Any, sessions: dict[str, str], results: dict[str, StepResult]) -> dict[str, Answer]:
        world = World({key: self.service(key) for key in sessions}, {key.split("/")[0]: self.environment(key.split("/")[0]) for key in sessions})
        world, answers = function(world, sessions, results, self.now)
        self.store(world)
        return dict(answers)

    def advance(self, sessions: dict[str, str], results: dict[str, StepResult]) -> dict[str, Answer]:
        return self._session(advance, sessions, results)

    def settle(self, sessions: dict[str, str], results: dict[str, StepResult]) -> dict[str, Answer]:
        return self._session(settle, sessions, results)

    def run(self, *seen: Observation, cure: Cure = never, step_s: float = 60, **more: Any) -> dict[str, Answer]:
        """A whole run as the role makes it: begun, steps, advanced as long as there are any, settled. Returns each instance's last answer."""
        answers = self.begin(*seen, **more)
        sessions = sessions_of(answers)
        if not sessions:
            return answers
        results: dict[str, StepResult] = {}
        while any(answer.next.rung or answer.next.wait for answer in answers.values()):
            for name, answer in answers.items():
                if answer.next.rung:
                    results[name] = step_result(answer, cure(name, answer.next.rung))
            self.wait(step_s)
            answers = {**answers, **self.advance(sessions, results)}
        return {**answers, **self.settle(sessions, results)}

    def monitor(self, verdict: str, cure: Cure = never, **more: Any) -> Answer:
        """One run of the monitor on the only instance there is."""
        return self.run(self.see("web1", verdict), cure=cure, **more)["web1"]


def sessions_of(answers: dict[str, Answer]) -> dict[str, str]:
    """The sessions these answers belong to, by service."""
    return {answer.scope.service_key: answer.session_id for answer in answers.values() if answer.session_id}


def step_result(answer: Answer, outcome: str) -> StepResult:
    """What a rung would have said."""
    return StepResult(answer.next.step, answer.next.rung, outcome, "" if outcome == "recovered" else "not_healthy", "", outcome in ("recovered", "failed"))
