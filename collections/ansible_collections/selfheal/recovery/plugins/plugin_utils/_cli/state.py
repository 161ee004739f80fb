# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal state`: which store this is, and taking hosts over from another one."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from ...module_utils._domain.times import to_text
from .exits import DONE
from .output import say, say_json
from .place import Opened, opened
from .words import harmless


def run(arguments: Namespace) -> int:
    """Run one sub-command; returns the exit code."""
    with opened(arguments) as place:
        return _info(place, arguments) if arguments.command == "info" else _adopt(place, arguments)


def _info(place: Opened, arguments: Namespace) -> int:
    known = place.guard.known()
    answer: dict[str, Any] = {
        "store_id": place.store.store_id(),
        "url": place.url,
        "schema": _schema(place.url),
        "time": to_text(place.store.read([]).now),
        "environments": list(known.environments),
        "services": list(known.services),
    }
    if arguments.json:
        say_json(answer)
    else:
        for name, value in answer.items():
            shown = ", ".join(value) or "none yet" if isinstance(value, list) else value
            say(f"{name:<13} {harmless(shown, 4000)}")
    return DONE


def _adopt(place: Opened, arguments: Namespace) -> int:
    outcomes = place.guard.adopt(arguments.store_id, arguments.reason, getattr(arguments, "scope", None))
    for outcome in outcomes:
        already = "" if outcome.changed else " already: nothing changed"
        say(f"this store takes over the hosts of {harmless(outcome.scope)} that remember {arguments.store_id}{already}")
    return DONE


def _schema(url: str) -> int | None:
    """The schema of an opened store: it was brought up to this release's, or refused."""
    if not url.startswith("sqlite:"):
        return None
    from ...module_utils._adapters.sqlite_schema import STEPS

    return len(STEPS)
