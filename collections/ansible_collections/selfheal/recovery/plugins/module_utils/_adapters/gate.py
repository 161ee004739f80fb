# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate: one admission for all selected instances, on a state store.

It answers in any case. State that cannot be read or written is an answer too: every instance is refused with ``state_unreadable``, so that the
run ends with a report instead of half-way.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import replace
from typing import Any, Callable, Iterator, Mapping

from .._domain.advance import advance
from .._domain.begin import begin
from .._domain.decide import REFUSED
from .._domain.errors import BadInput
from .._domain.inputs import Inputs, Observation
from .._domain.outcomes import STEP_OUTCOMES
from .._domain.scope import Scope
from .._domain.settle import settle
from .._domain.state import StateUnreadable, StepResult, environment_from_json, service_from_json, to_json
from .._domain.status import status
from .._domain.times import to_text
from .._domain.world import Answer, Request, World
from .store import Change, Snapshot, StateError, Store

COLLECTION = "selfheal.recovery"
_UNREADABLE = (StateError, StateUnreadable)


class Gate:
    """Begins, advances and settles the sessions of one run. ``holder`` names the run to others; with ``dry_run`` nothing is written.

    Every method returns a decision ``{instances, sessions, store_id, breakers}``: ``instances`` maps names to ``{action, reason, detail,
    outcome, session_id, wave, step, role, fence, rung, scope}``, ``sessions`` the services acted on to their session, ``breakers`` services
    to their status.
    """

    def __init__(self, open_store: Callable[[], Store], holder: str, dry_run: bool = False) -> None:
        self._open_store = open_store
        self._holder = holder
        self._dry_run = dry_run

    def begun(self, results: Mapping[str, Any], fleet: list[str], inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Admit what may be repaired. ``results`` are those of ``service_health_info`` by instance, ``fleet`` the inventory's instances."""
        asked = Inputs.from_json(inputs)
        members = tuple(_members(fleet))
        seen, broken = _observations(results)

        def transition(world: World, snapshot: Snapshot, store_id: str) -> tuple[World, dict[str, Answer]]:
            request = Request(tuple(seen), members, asked, self._holder, store_id, lambda _key: secrets.token_hex(4))
            return begin(world, request, snapshot.now)

        try:
            decision = self._run(sorted({each.scope.service_key for each in seen}), transition) if seen else _empty()
        except _UNREADABLE as error:
            answers = {each.scope.instance: Answer(each.scope, REFUSED, error.reason, str(error), "refused") for each in seen}
            decision = {**_empty(), "instances": {name: _told(answer) for name, answer in answers.items()}}
        decision["instances"].update(broken)
        return self._as_plan(decision) if self._dry_run else decision

    def advanced(self, decision: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
        """Take the results of the steps that ran and say what comes next. Without readable state nothing comes next."""
        return self._on(decision, results, advance, "no further step is taken")

    def settled(self, decision: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
        """Settle the sessions of this run. What cannot be written is settled by the next run after the lease."""
        return self._on(decision, results, settle, "the next run after the lease settles it as failed")

    def _on(self, decision: Mapping[str, Any], results: Mapping[str, Any], function: Any, otherwise: str) -> dict[str, Any]:
        sessions = dict(decision["sessions"])
        before = dict(decision["instances"])
        if self._dry_run or not sessions:
            return dict(decision)
        steps = {name: _step_result(results[name], before[name]) for name in before if name in results}

        def transition(world: World, snapshot: Snapshot, _store_id: str) -> tuple[World, dict[str, Answer]]:
            world, answers = function(world, sessions, steps, snapshot.now)
            return world, answers

        try:
            after = self._run(sorted(sessions), transition)
        except _UNREADABLE as error:
            lost = {"action": REFUSED, "reason": error.reason, "detail": f"{error}. {otherwise}", "outcome": "internal_error", "step": "", "role": ""}
            held = {name: {**told, **lost} for name, told in before.items() if told["session_id"]}
            return {**decision, "instances": {**before, **held}}
        instances = {name: {**told, "step": "", "role": ""} for name, told in before.items()}
        for name, told in instances.items():
            if told["session_id"] and name not in after["instances"]:
                told.update(_OVERTAKEN)
        breakers = {**decision["breakers"], **after["breakers"]}
        return {**after, "instances": {**instances, **after["instances"]}, "sessions": sessions, "breakers": breakers}

    def _run(self, keys: list[str], transition: Callable[[World, Snapshot, str], tuple[World, dict[str, Answer]]]) -> dict[str, Any]:
        """Load the services' and environments' documents, run the transition, store what it changed, and put its answers into words."""
        environments = sorted({key.split("/")[0] for key in keys})
        store = self._open_store()
        try:
            store_id = store.store_id()

            def function(snapshot: Snapshot) -> Change:
                documents = snapshot.documents
                before = World(
                    {key: service_from_json(key, documents[key]) for key in keys},
                    {name: environment_from_json(name, documents[name]) for name in environments},
                )
                after, answers = transition(before, snapshot, store_id)
                changed = {
                    **{name: to_json(each) for name, each in after.environments.items() if each != before.environments[name]},
                    **{key: to_json(each) for key, each in after.services.items() if each != before.services[key]},
                }
                return Change(changed, after.events, (after, answers, snapshot.now))

            # Environments come first: where a store cannot write both at once, a place without a session is the harmless half.
            scopes = [*environments, *keys]
            after, answers, now = function(store.read(scopes)).answer if self._dry_run else store.transact(scopes, function)
        finally:
            store.close()
        sessions = {answer.scope.service_key: answer.session_id for answer in answers.values() if answer.session_id}
        return {
            "instances": {name: _told(_fenced(answer, after, store_id)) for name, answer in answers.items()},
            "sessions": sessions,
            "store_id": store_id,
            "now": to_text(now),
            "breakers": {key: status(after.services[key], Scope.parse(key), after.environments[key.split("/")[0]], now) for key in keys},
        }

    @staticmethod
    def _as_plan(decision: Mapping[str, Any]) -> dict[str, Any]:
        """What a run would decide, with nothing to run and no session begun."""
        planned = {}
        for name, told in decision["instances"].items():
            would = f"would run {told['step']}. {told['detail']}" if told["role"] else told["detail"]
            planned[name] = {**told, "detail": would, "step": "", "role": "", "fence": {}, "session_id": ""}
        return {**decision, "instances": planned, "sessions": {}}


def _members(fleet: list[str]) -> Iterator[Scope]:
    """The scopes of the inventory; a name that cannot be one is its own host's failure, not everybody's."""
    for each in fleet:
        with suppress(BadInput):
            yield Scope.parse(each)


def _observations(results: Mapping[str, Any]) -> tuple[list[Observation], dict[str, Any]]:
    """What was measured, and answers for the instances whose result is none."""
    seen, broken = [], {}
    for name, result in results.items():
        try:
            seen.append(Observation.from_result(result))
        except BadInput as error:
            message = result.get("msg") if isinstance(result, Mapping) else None
            broken[name] = {**_NOTHING, "action": REFUSED, "reason": "bad_input", "detail": str(message or error), "outcome": "internal_error"}
    return seen, broken


def _step_result(result: Mapping[str, Any], told: Mapping[str, Any]) -> StepResult:
    """How a step ended, from what its role registered. A rung that says nothing readable may have changed something."""
    fence = told.get("fence") or {}
    outcome = str(result.get("outcome"))
    known = outcome in STEP_OUTCOMES
    step = result.get("step")
    return StepResult(
        step=step if isinstance(step, int) else int(fence.get("step", 0)),
        rung=str(told.get("step") or ""),
        outcome=outcome if known else "failed",
        reason=str(result.get("reason") or ("" if known else "no_answer"))[:100],
        detail=str(result.get("detail") or result.get("msg") or "")[:500],
        mutated=bool(result.get("mutated", not known)),
    )


def _fenced(answer: Answer, world: World, store_id: str) -> Answer:
    if not answer.fence:
        return answer
    adopts = list(world.environments[answer.scope.environment].adopts)
    return replace(answer, fence={**answer.fence, "store_id": store_id, "adopts": adopts})


_OVERTAKEN = {
    "action": REFUSED,
    "reason": "lease_expired",
    "detail": "another run took over before it had its turn",
    "outcome": "refused",
}

_NOTHING: dict[str, Any] = {
    "action": "none",
    "reason": "",
    "detail": "",
    "outcome": "none",
    "session_id": "",
    "wave": 0,
    "step": "",
    "role": "",
    "fence": {},
    "rung": "",
    "scope": "",
}


def _told(answer: Answer) -> dict[str, Any]:
    rung = answer.next.rung
    return {
        **_NOTHING,
        "action": answer.action,
        "reason": answer.reason,
        "detail": answer.detail,
        "outcome": answer.outcome,
        "session_id": answer.session_id,
        "wave": answer.wave,
        "step": "wait" if answer.next.wait else rung,
        "role": rung if "." in rung or not rung else f"{COLLECTION}.{rung}",
        "fence": dict(answer.fence),
        "rung": answer.rung,
        "scope": str(answer.scope),
    }


def _empty() -> dict[str, Any]:
    return {"instances": {}, "sessions": {}, "store_id": "", "now": "", "breakers": {}}
