# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command line's words. Imports nothing but argparse."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from typing import Any, NoReturn, Sequence

from .words import harmless

TRACKS = ("recovery", "deployment", "both")


class _Parser(ArgumentParser):
    """One line for what is wrong, and no guessing of shortened options."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        print(f"selfheal: {harmless(message, 1000)}. See: {self.prog} --help", file=sys.stderr)
        raise SystemExit(2)


def parse(argv: Sequence[str]) -> Namespace:
    """What was asked for; ``SystemExit`` after ``--help`` (0) and when it is not a command (2).

    An option that was not given is not in the namespace, so that one given before the sub-command is not lost behind it.
    """
    return _parser().parse_args(argv)


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="selfheal",
        description="Guard state and health of the services that selfheal.recovery looks after.",
        epilog="Exit codes: 0 done, 1 the answer is no, 2 it could not be done; one line on stderr says why.",
    )
    areas = parser.add_subparsers(dest="area", metavar="COMMAND", required=True)
    _breaker(areas)
    _health(areas)
    _state(areas)
    return parser


def _state_options() -> ArgumentParser:
    options = ArgumentParser(add_help=False)
    group = options.add_argument_group("where the state is")
    group.add_argument("--repo", metavar="OWNER/REPO", default=SUPPRESS, help="the repository variables of a GitHub repository")
    group.add_argument("--state", metavar="URL", default=SUPPRESS, help="a state store, for example sqlite:////var/lib/selfheal/state.db")
    return options


def _scope_option(what: str, metavar: str = "SCOPE") -> ArgumentParser:
    options = ArgumentParser(add_help=False)
    options.add_argument("--scope", metavar=metavar, default=SUPPRESS, help=what)
    return options


def _breaker(areas: Any) -> None:
    track = ArgumentParser(add_help=False)
    track.add_argument("--track", choices=TRACKS, default=SUPPRESS, help="which circuit breaker is meant (default: both)")
    scope = _scope_option("ENVIRONMENT/SERVICE or ENVIRONMENT/SERVICE/INSTANCE (default: RECOVERY_DEFAULT_SCOPE, else the only service there is)")
    common = [scope, track, _state_options()]
    breaker = areas.add_parser(
        "breaker",
        parents=common,
        help="show and change the circuit breakers, and pause recovery",
        description="Show and change the circuit breakers, and pause recovery.",
        epilog="The state is that of --repo, else --state, else RECOVERY_STATE, else the embedded one.",
    )
    commands = breaker.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, what: str) -> ArgumentParser:
        added: ArgumentParser = commands.add_parser(name, parents=common, help=what, description=f"{what[0].upper()}{what[1:]}.")
        return added

    shown = command("status", "show the state of the breakers")
    _json(shown)
    _export(shown, "also write status, history and events to FILE as JSON")
    events = command("events", "show what changed, newest last")
    _json(events)
    events.add_argument("--limit", type=int, metavar="N", default=10, help="how many of the newest (default: 10)")
    _json(command("history", "show the recovery attempts that were settled"))
    _json(command("check", "open every breaker that is over its threshold; exit code 1 when one was opened"))
    _reason(command("open", "open the breaker: automated action stops until a person closes it"), required=True)
    close = command("close", "close the breaker and forget its failures")
    close.add_argument("--keep-failures", action="store_true", help="keep the failure counts")
    _reason(close)
    _number(command("threshold", "set how many recovery failures in a row open the breaker"))
    _number(command("deployment-threshold", "set how many deployment failures in a row open the breaker"))
    pause = command("pause", "leave a service, an instance or a whole environment (--scope ENVIRONMENT) alone for a while")
    _reason(pause, required=True)
    pause.add_argument("--for", dest="duration", metavar="TIME", required=True, help="how long: 30m, 2h, 1d; at most 24 h")
    _reason(command("resume", "end a pause before its time"))


def _health(areas: Any) -> None:
    health = areas.add_parser(
        "health",
        parents=[_scope_option("the scope the answer is labelled with")],
        help="probe a service from here and print its verdict",
        description="Probe a service from here and print its verdict. Exit code 0 healthy, 1 degraded or unhealthy, 2 unknown or error.",
    )
    _json(health)
    _export(health, "also write the answer to FILE as JSON")
    health.add_argument("--url", metavar="URL", help="the service's address (default: TAILPASTE_URL, else http://localhost:8080)")
    health.add_argument("--container", metavar="NAME", help="also look at this container of the local engine")
    health.add_argument("--probes", metavar="FILE", help="a JSON list of probes, or - for standard input, instead of the default ones")


def _state(areas: Any) -> None:
    common = [_state_options()]
    state = areas.add_parser("state", parents=common, help="look at, make and move the state store", description="Look at, make and move the state store.")
    commands = state.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, what: str, more: str = "") -> ArgumentParser:
        added: ArgumentParser = commands.add_parser(name, parents=common, help=what, description=f"{what[0].upper()}{what[1:]}. {more}".strip())
        return added

    _json(command("init", "make the store, unless it is there, and say which it is"))
    _json(command("info", "show which store this is and what it knows"))
    backup = command("backup", "write a copy to a new file", "It is restored by 'selfheal state import FILE', and is no store itself.")
    backup.add_argument("file", metavar="FILE", help="a file that is not there yet; only its owner may read it")
    _json(backup)
    exported = command("export", "write everything in the store as one JSON document")
    exported.add_argument("--output", metavar="FILE", default=None, help="a file, instead of standard output")
    taken = command(
        "import",
        "take a state over into this store, which must be empty",
        "From a store that is in use the state is moved: identity and all, and that store refuses from then on. From a file, a backup, or a store"
        " that was moved elsewhere it is copied: this store gets an identity of its own and takes the hosts over, which needs --reason.",
    )
    taken.add_argument("source", metavar="FROM", help="the URL of a store, or a file of 'export' or 'backup'")
    taken.add_argument("--wait", metavar="TIME", default="", help="how long to wait for sessions in flight, for example 15m (default: not at all)")
    _reason(taken)
    _json(taken)
    prune = command("prune", "delete old events", "Every write deletes those of more than 400 days by itself.")
    prune.add_argument("--older-than", metavar="TIME", default="400d", help="how old, for example 90d (default: 400d)")
    _json(prune)
    what = "let this store take over hosts that another store has guarded so far"
    scope = _scope_option("one environment only (default: all that the state knows)", "ENVIRONMENT")
    adopt = commands.add_parser("adopt", parents=[scope, *common], help=what, description=f"{what.capitalize()}.")
    adopt.add_argument("--from", dest="store_id", metavar="STORE_ID", required=True, help="the other store's id; the refused run names it")
    _reason(adopt, required=True)


def _json(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def _export(parser: ArgumentParser, what: str) -> None:
    parser.add_argument("--export", metavar="FILE", help=what)


def _reason(parser: ArgumentParser, required: bool = False) -> None:
    parser.add_argument("--reason", metavar="WHY", required=required, default=None if required else "", help="why, for those who read it later")


def _number(parser: ArgumentParser) -> None:
    parser.add_argument("value", type=int, metavar="N", help="a whole number from 1")
    _reason(parser)
