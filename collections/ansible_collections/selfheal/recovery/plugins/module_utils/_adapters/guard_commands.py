# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A person's commands and questions on a state store, the same from the command line and from the modules.

A change is one transaction: load, run the domain's command, write what it changed with its events. A question is one read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Callable, Mapping, Sequence

from .._domain import operator as person
from .._domain import status as shown
from .._domain.decide import pause_holds
from .._domain.errors import BadInput
from .._domain.events import Event
from .._domain.scope import Scope
from .._domain.state import Environment, Pause, Service, environment_from_json, service_from_json, to_json
from .guard_target import NOBODY, VARIABLE, Known, Target, for_change, target
from .store import Change, Snapshot, Store

ServiceCommand = Callable[[Service, person.Order], "tuple[Service, list[Event]]"]
EnvironmentCommand = Callable[[Environment, str, person.Order], "tuple[Environment, list[Event]]"]

EVENTS_SHOWN = 10
EVENTS_EXPORTED = 1000


@dataclass(frozen=True)
class View:
    """A service or an instance as the state has it at one moment; ``known`` is false when the state has never seen it."""

    scope: Scope
    now: datetime
    service: Service
    environment: Environment
    known: bool

    def status(self) -> dict[str, Any]:
        """The contract's ``status --json`` keys."""
        return shown.status(self.service, self.scope, self.environment, self.now)

    def history(self) -> list[dict[str, Any]]:
        """The settled attempts, oldest first."""
        return shown.history(self.service, self.scope)


@dataclass(frozen=True)
class Outcome:
    """What a command came to: its events (none when it changed nothing), and the status before and after it.

    ``known`` says whether the state had heard of ``scope`` before. ``view`` is the service afterwards, ``None`` for an environment.
    """

    scope: str
    known: bool
    events: tuple[Event, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    view: View | None = None

    @property
    def changed(self) -> bool:
        """Whether anything is different now."""
        return bool(self.events)


class Guard:
    """A state store as a person uses it. ``by`` names that person in the events.

    ``dry_run`` answers what each command would do, and writes nothing. Raises ``BadInput`` for what cannot be asked and ``StateError``
    when the state cannot be read or written.
    """

    def __init__(self, store: Store, by: str, environ: Mapping[str, str], dry_run: bool = False) -> None:
        self._store = store
        self._by = by
        self._environ = environ
        self._dry_run = dry_run

    def known(self) -> Known:
        """The services and environments the state has heard of."""
        return Known.of(self._store.scopes())

    def target(self, named: str | None, environments: bool = False) -> Target:
        """What a command is about; see ``guard_target.target``. The state is looked at only when nothing is named."""
        asked = named is not None or bool(self._environ.get(VARIABLE))
        return target(named, self._environ, Known() if asked else self.known(), environments)

    # Questions

    def view(self, scope: Scope) -> View:
        """The service or instance as it is now."""
        return _view(scope, self._store.read([scope.service_key, scope.environment]))

    def events(self, chosen: Target, limit: int = EVENTS_SHOWN, track: str = person.BOTH) -> list[Event]:
        """The newest ``limit`` events of a target and everything below it, of one track or of all, oldest first."""
        if limit < 1:
            raise BadInput(f"expected how many events to show: 1 or more, found {limit}")
        asked = limit
        while True:
            found = self._store.events(str(chosen), asked)
            fitting = [event for event in found if track in (person.BOTH, event.track)]
            if len(fitting) >= limit or len(found) < asked:
                return fitting[-limit:]
            asked *= 4

    def export(self, view: View) -> dict[str, Any]:
        """The comprehensive status and logs of a service or an instance."""
        events = self._store.events(str(view.scope), EVENTS_EXPORTED)
        return shown.export(view.service, view.scope, view.environment, events, view.now)

    # Commands

    def change(self, chosen: Target, command: ServiceCommand, reason: str = "", track: str = person.BOTH) -> Outcome:
        """Run one command on a service or an instance, in one transaction."""
        scope = for_change(chosen).scope
        if scope is None:
            raise BadInput(f"expected a service, found the environment {chosen.environment!r:.80}", f"Name one: --scope {chosen.environment}/SERVICE")
        return self._change(scope, command, reason, track)

    def check(self, chosen: Target, track: str = person.BOTH) -> Outcome:
        """Open what is over its threshold; the events tell what was opened."""
        return self._change(chosen.scope or NOBODY, person.check_breaker, "", track)

    def change_environments(self, names: Sequence[str], command: EnvironmentCommand, reason: str) -> list[Outcome]:
        """Run one command on each of these environments, all in one transaction."""

        def function(snapshot: Snapshot) -> Change:
            documents, events, outcomes = {}, [], []
            for name in names:
                environment = environment_from_json(name, snapshot.documents[name])
                order = person.Order(snapshot.now, Scope(name, NOBODY.service), self._by, reason)
                after, more = command(environment, name, order)
                before = _of_environment(environment, name, snapshot.now)
                known = snapshot.documents[name] is not None
                outcomes.append(Outcome(name, known, tuple(more), before, _of_environment(after, name, snapshot.now)))
                if more:
                    documents[name] = to_json(after)
                    events += more
            return Change(documents, events, outcomes)

        outcomes: list[Outcome] = self._run(list(names), function)
        return outcomes

    def adopt(self, store_id: str, reason: str, environment: str | None = None) -> list[Outcome]:
        """Let this store take over the hosts that remember the store ``store_id``: of one environment, or of all the state knows."""
        if environment is not None and "/" in environment:
            raise BadInput(
                f"expected an environment, found {environment!r:.80}: hosts are taken over for a whole environment",
                f"Name it: --scope {environment.partition('/')[0] or 'ENVIRONMENT'}",
            )
        if store_id == self._store.store_id():
            raise BadInput(f"expected the id of another store, found this one's own ({store_id})", "The refused run names the other one")
        names = [self.target(environment, environments=True).environment] if environment is not None else list(self.known().environments)
        if not names:
            raise BadInput("expected the name of an environment, since nothing is recorded in this state yet", "Name it: --scope ENVIRONMENT")
        return self.change_environments(names, lambda each, name, order: person.adopt_hosts(each, name, order, store_id), reason)

    def _change(self, scope: Scope, command: ServiceCommand, reason: str, track: str) -> Outcome:
        def function(snapshot: Snapshot) -> Change:
            before = _view(scope, snapshot)
            service, events = command(before.service, person.Order(snapshot.now, scope, self._by, reason, track))
            after = replace(before, service=service)
            answer = Outcome(str(scope), before.known, tuple(events), before.status(), after.status(), after)
            return Change({scope.service_key: to_json(service)}, events, answer) if events else Change(answer=answer)

        outcome: Outcome = self._run([scope.service_key, scope.environment], function)
        return outcome

    def _run(self, scopes: list[str], function: Callable[[Snapshot], Change]) -> Any:
        return function(self._store.read(scopes)).answer if self._dry_run else self._store.transact(scopes, function)


def in_turn(*commands: ServiceCommand) -> ServiceCommand:
    """Several commands as one: all of them happen, or none."""

    def command(service: Service, order: person.Order) -> tuple[Service, list[Event]]:
        events: list[Event] = []
        for each in commands:
            service, more = each(service, order)
            events = events + more
        return service, events

    return command


def closing(keep_failures: bool) -> ServiceCommand:
    """Close, with or without the counts."""
    return lambda service, order: person.close_breaker(service, order, keep_failures)


def threshold(track: str, value: int) -> ServiceCommand:
    """Set one track's threshold (``recovery`` or ``deployment``)."""
    return lambda service, order: person.set_threshold(service, replace(order, track=person.BOTH), track, value)


def pausing(seconds: float, keep: bool = False) -> ServiceCommand:
    """Pause for ``seconds`` from now; with ``keep`` a pause that holds for the same reason stays as it is."""

    def command(service: Service, order: person.Order) -> tuple[Service, list[Event]]:
        pause = service.instance(order.scope.instance).pause if order.scope.instance else service.pause
        return (service, []) if keep and _same(pause, order) else person.pause_service(service, order, seconds)

    return command


def pausing_environment(seconds: float, keep: bool = False) -> EnvironmentCommand:
    """The same for an environment."""

    def command(environment: Environment, name: str, order: person.Order) -> tuple[Environment, list[Event]]:
        return (environment, []) if keep and _same(environment.pause, order) else person.pause_environment(environment, name, order, seconds)

    return command


def _same(pause: Pause | None, order: person.Order) -> bool:
    return pause is not None and pause.reason == order.reason and pause_holds(pause, order.now)


def _view(scope: Scope, snapshot: Snapshot) -> View:
    service = service_from_json(scope.service_key, snapshot.documents[scope.service_key])
    environment = environment_from_json(scope.environment, snapshot.documents[scope.environment])
    known = snapshot.documents[scope.service_key] is not None and scope.instance in ("", *service.instances)
    return View(scope, snapshot.now, service, environment, known)


def _of_environment(environment: Environment, name: str, now: datetime) -> dict[str, Any]:
    return {
        "scope": name,
        "paused": shown.held(environment.pause, now),
        "adopts": list(environment.adopts),
    }
