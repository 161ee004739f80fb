# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal breaker`: show and change the circuit breakers, and pause recovery."""

from __future__ import annotations

import os
import shlex
from argparse import Namespace
from typing import Callable

from ...module_utils._adapters.durations import seconds_of
from ...module_utils._adapters.guard_commands import Guard, Outcome, closing, pausing, pausing_environment, threshold
from ...module_utils._adapters.guard_target import NOBODY, VARIABLE, Known, Target
from ...module_utils._domain import operator as person
from ...module_utils._domain.breaker import DEPLOYMENT, RECOVERY, exceeded
from ...module_utils._domain.errors import BadInput
from ...module_utils._domain.events import Event
from ...module_utils._domain.scope import Scope
from .exits import ANSWER_IS_NO, DONE
from .output import export, hint, say, say_json, table
from .place import Opened, opened
from .status_text import block, resets
from .words import count, harmless


def run(arguments: Namespace) -> int:
    """Run one sub-command; returns the exit code."""
    with opened(arguments) as place:
        return _COMMANDS[arguments.command](_Call(place, arguments))


class _Call:
    """One call of a sub-command: its options, and the guard they are for."""

    def __init__(self, place: Opened, arguments: Namespace) -> None:
        self.place = place
        self.options = arguments
        self.scope: str | None = getattr(arguments, "scope", None)
        self.track: str = getattr(arguments, "track", person.BOTH)

    @property
    def guard(self) -> Guard:
        return self.place.guard

    @property
    def same_state(self) -> str:
        """The option that makes a suggested command mean this state; none where it has no credentials to leave out and none is needed."""
        named = getattr(self.options, "state", None)
        return f" --state {shlex.quote(named)}" if named and self.place.url == named else ""

    @property
    def named(self) -> bool:
        """Whether somebody said which scope is meant."""
        return self.scope is not None or bool(os.environ.get(VARIABLE))

    def target(self, environments: bool = False) -> Target:
        return self.guard.target(self.scope, environments)

    def only_track(self, *fitting: str) -> None:
        """Refuse a track that this command is not about, rather than ignore it."""
        if self.track not in (person.BOTH, *fitting):
            raise BadInput(
                f"'{self.options.command}' is not about the {self.track} track",
                "Leave --track out" if not fitting else f"The command for it is '{'deployment-' if fitting == (RECOVERY,) else ''}threshold'",
            )

    def unknown(self, scope: str) -> None:
        """Say that nothing was recorded of this scope before: it may be a slip of the pen."""
        others = Known(tuple(each for each in self.guard.known().services if not f"{scope}/".startswith(f"{each}/")))
        if others.services:
            hint(f"nothing was recorded of {scope} before; this state knows {others.listed}")
        else:
            hint(f"nothing was recorded{f' of {scope}' if self.named else ''} before in {self.place.url}")


def _status(call: _Call) -> int:
    options = call.options
    scopes = _scopes_to_show(call)
    views = [call.guard.view(scope) for scope in scopes]
    if options.export:
        export(options.export, call.guard.export(views[0]))
    if options.json:
        say_json(views[0].status())
    else:
        for number, view in enumerate(views):
            say(*([""] if number else []), *block(view, call.track, call.same_state))
    for view in views:
        if not view.known:
            call.unknown(str(view.scope))
    return DONE


def _scopes_to_show(call: _Call) -> list[Scope]:
    """The one scope meant; text can show every service when none is named."""
    if not (call.named or call.options.json or getattr(call.options, "export", None)):
        services = call.guard.known().services
        if len(services) > 1:
            return [Scope.parse(each) for each in services]
    return [call.target().scope or NOBODY]


def _events(call: _Call) -> int:
    chosen = call.target(environments=True)
    events = call.guard.events(chosen, call.options.limit, call.track)
    if call.options.json:
        say_json([event.to_json() for event in events])
    elif events:
        table(("time", "scope", "track", "action", "count", "by", "reason", "session"), map(_event_row, events))
    else:
        say(f"no events of {harmless(chosen)}")
    if not events and chosen.scope is not None and chosen.scope.service_key not in call.guard.known().services:
        call.unknown(str(chosen))
    return DONE


def _event_row(event: Event) -> tuple[str, ...]:
    counted = f"{event.failure_count}/{event.threshold}" if event.track else ""
    return (event.timestamp, event.scope, event.track, event.action, counted, event.triggered_by, event.reason, event.session_id)


# Columns of the history, and where they come from.
_HISTORY = {
    "started": "started_at",
    "scope": "scope",
    "outcome": "outcome",
    "rung": "rung",
    "reason": "reason",
    "by": "triggered_by",
    "session": "session_id",
    "detail": "detail",
}


def _history(call: _Call) -> int:
    views = [call.guard.view(scope) for scope in _scopes_to_show(call)]
    records = [record for view in views for record in view.history() if call.track != DEPLOYMENT]
    if call.options.json:
        say_json(records)
    elif records:
        table(tuple(_HISTORY), ([record[name] for name in _HISTORY.values()] for record in records))
    else:
        say(f"no recovery attempts of {', '.join(harmless(view.scope) for view in views)}")
    for view in views:
        if not view.known:
            call.unknown(str(view.scope))
    return DONE


def _check(call: _Call) -> int:
    outcomes = [call.guard.check(Target(scope.environment, scope), call.track) for scope in _scopes_to_show(call)]
    for outcome in outcomes:
        if call.options.json:
            say_json({**outcome.after, "opened": [event.to_json() for event in outcome.events]})
        elif outcome.changed:
            say(*(f"opened the {_of(event)}: {count(event.failure_count, 'failure')}, threshold {event.threshold}" for event in outcome.events))
            _say_resets(call, outcome)
        else:
            say(f"{harmless(outcome.scope)}: nothing to open; it is {outcome.after['status']}")
        if not outcome.known:
            call.unknown(outcome.scope)
    return ANSWER_IS_NO if any(outcome.changed for outcome in outcomes) else DONE


def _open(call: _Call) -> int:
    outcome = call.guard.change(call.target(), person.open_breaker, call.options.reason, call.track)
    for event in outcome.events:
        say(f"opened the {_of(event)}")
    if not outcome.changed:
        say(f"{harmless(outcome.scope)} is open already: nothing changed")
    elif outcome.view is not None and outcome.view.service.session is not None and call.track != DEPLOYMENT:
        say(f"  session {harmless(outcome.view.service.session.id)} ends after its current step")
    _say_resets(call, outcome)
    return _done(call, outcome)


def _close(call: _Call) -> int:
    outcome = call.guard.change(call.target(), closing(call.options.keep_failures), call.options.reason, call.track)
    for event in outcome.events:
        kept = f"; {count(event.failure_count, 'failure')} kept, threshold {event.threshold}" if call.options.keep_failures else ""
        say(f"closed the {_of(event)}{kept}")
    if not outcome.changed:
        say(f"{harmless(outcome.scope)}: nothing to close")
    if outcome.after["status"] == "open":
        say(f"{harmless(outcome.scope)} is still open:")
        _say_resets(call, outcome)
    return _done(call, outcome)


def _recovery_threshold(call: _Call) -> int:
    call.only_track(RECOVERY)
    return _threshold(call, RECOVERY)


def _deployment_threshold(call: _Call) -> int:
    call.only_track(DEPLOYMENT)
    return _threshold(call, DEPLOYMENT)


def _threshold(call: _Call, track: str) -> int:
    value = call.options.value
    outcome = call.guard.change(call.target(), threshold(track, value), call.options.reason)
    before = outcome.before[f"{track}_threshold"]
    say(f"the {track} threshold of {harmless(outcome.scope)} is {value}" + (f", it was {before}" if outcome.changed else " already: nothing changed"))
    if outcome.view is not None:
        service = outcome.view.service
        tracks = [service.deployment] if track == DEPLOYMENT else [each.recovery for each in service.instances.values()]
        if any(exceeded(each, value) and not each.is_open for each in tracks):
            say("  its failures reach that already: the next one opens the breaker, and so does 'selfheal breaker check' unless they were kept by a close")
    return _done(call, outcome)


def _pause(call: _Call) -> int:
    call.only_track()
    seconds = seconds_of(call.options.duration)
    chosen = call.target(environments=True)
    if chosen.scope is None:
        outcome = call.guard.change_environments([chosen.environment], pausing_environment(seconds), call.options.reason)[0]
    else:
        outcome = call.guard.change(chosen, pausing(seconds), call.options.reason)
    say(f"paused {harmless(outcome.scope)} {harmless(_held(outcome), 1000)}")
    return _done(call, outcome)


def _resume(call: _Call) -> int:
    call.only_track()
    chosen = call.target(environments=True)
    if chosen.scope is None:
        outcome = call.guard.change_environments([chosen.environment], person.resume_environment, call.options.reason)[0]
    else:
        outcome = call.guard.change(chosen, person.resume_service, call.options.reason)
    say(f"resumed {harmless(outcome.scope)}" if outcome.changed else f"{harmless(outcome.scope)} is not paused: nothing to resume")
    if outcome.after["paused"]:
        say(f"  it is still paused from above, {harmless(outcome.after['paused'], 1000)}")
    return _done(call, outcome)


_COMMANDS: dict[str, Callable[[_Call], int]] = {
    "status": _status,
    "events": _events,
    "history": _history,
    "check": _check,
    "open": _open,
    "close": _close,
    "threshold": _recovery_threshold,
    "deployment-threshold": _deployment_threshold,
    "pause": _pause,
    "resume": _resume,
}


def _done(call: _Call, outcome: Outcome) -> int:
    if not outcome.known and outcome.view is not None:
        call.unknown(outcome.scope)
    return DONE


def _say_resets(call: _Call, outcome: Outcome) -> None:
    if outcome.view is not None:
        say(*(f"  when the cause is mended: {command}" for command in resets(outcome.view, call.same_state)))


def _of(event: Event) -> str:
    return f"{event.track} breaker of {harmless(event.scope)}"


def _held(outcome: Outcome) -> str:
    return str(outcome.after["paused"])
