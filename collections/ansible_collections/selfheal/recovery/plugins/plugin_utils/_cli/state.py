# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal state`: which store this is, making and moving it, and taking hosts over from another one."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from typing import Any

from ...module_utils._adapters.durations import seconds_of
from ...module_utils._adapters.sqlite import SqliteStore
from ...module_utils._domain.times import to_text
from .exits import DONE
from .output import CannotExport, export, hint, say, say_json
from .place import Opened, opened
from .transfer import SECONDS, Place, transfer
from .words import count, harmless

_CLOCKS_APART = timedelta(seconds=30)


def run(arguments: Namespace) -> int:
    """Run one sub-command; returns the exit code."""
    commands = {"init": _init, "info": _info, "adopt": _adopt, "backup": _backup, "export": _export, "import": _import, "prune": _prune}
    seconds = SECONDS if arguments.command in ("backup", "export", "import", "prune") else 10.0
    with opened(arguments, seconds) as place:
        commands[arguments.command](place, arguments)
    return DONE


def _init(place: Opened, arguments: Namespace) -> None:
    there = place.store.present()
    store_id = place.store.store_id()
    answer = {"store_id": store_id, "url": place.url, "created": not there}
    _answer(arguments, answer, f"{'already there' if there else 'made'}: store {store_id} in {harmless(place.url)}")
    if place.url.startswith("postgresql"):
        from ...module_utils._adapters.postgresql_errors import GRANTS

        hint(f"for a role that is not the owner: {GRANTS}")


def _info(place: Opened, arguments: Namespace) -> None:
    known, store = place.guard.known(), place.store.describe()
    answer: dict[str, Any] = {
        "store_id": store.store_id,
        "url": place.url,
        "schema": store.schema,
        "time": to_text(store.now),
        "environments": list(known.environments),
        "services": list(known.services),
    }
    if arguments.json:
        say_json(answer)
    else:
        for name, value in answer.items():
            shown = ", ".join(value) or "none yet" if isinstance(value, list) else value
            say(f"{name:<13} {harmless(shown, 4000)}")
    apart = store.now - datetime.now(UTC)
    if abs(apart) > _CLOCKS_APART:
        ahead = "ahead of" if apart > timedelta() else "behind"
        hint(
            f"the store's time is {abs(apart).total_seconds():.0f} s {ahead} this machine's clock; leases and pauses go by the store's. Check both clocks (NTP)"
        )


def _adopt(place: Opened, arguments: Namespace) -> None:
    outcomes = place.guard.adopt(arguments.store_id, arguments.reason, getattr(arguments, "scope", None))
    for outcome in outcomes:
        already = "" if outcome.changed else " already: nothing changed"
        say(f"this store takes over the hosts of {harmless(outcome.scope)} that remember {arguments.store_id}{already}")


def _backup(place: Opened, arguments: Namespace) -> None:
    """A copy that cannot be mistaken for a store: of the embedded one a database that is marked, of the others the export."""
    path = arguments.file
    try:
        if isinstance(place.store, SqliteStore):
            whole = place.store.backup(path, place.by)
        else:
            whole = place.store.whole()
            _write_new(path, json.dumps(whole.to_json(), indent=1))
    except FileExistsError:
        raise CannotExport(f"expected a new file for the backup, found that {path!r} is there", "Nothing was written. Name another one") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise CannotExport(f"expected to write the backup {path!r}, found: {why}", "Name a file in a directory that exists and that you may write") from None
    _answer(
        arguments,
        {"file": path, "store_id": whole.store_id, "documents": len(whole.documents), "events": len(whole.events)},
        f"written to {harmless(path)}: {count(len(whole.documents), 'document')} and {count(len(whole.events), 'event')} of store {whole.store_id}",
    )


def _export(place: Opened, arguments: Namespace) -> None:
    whole = place.store.whole().to_json()
    if arguments.output is None:
        say_json(whole)
    else:
        export(arguments.output, whole)


def _import(place: Opened, arguments: Namespace) -> None:
    wait_s = seconds_of(arguments.wait) if arguments.wait else 0
    done = transfer(arguments.source, Place(place.store, place.url), place.by, arguments.reason, wait_s)
    loaded = f"{count(done.documents, 'document')} and {count(done.events, 'event')}"
    answer = {"moved": done.moved, "store_id": done.store_id, "former_store_id": done.former_id, "documents": done.documents, "events": done.events}
    if done.moved:
        _answer(arguments, answer, f"moved to {harmless(place.url)}: {loaded}, as store {done.store_id}. Its former place refuses from now on")
    else:
        _answer(arguments, answer, f"copied to {harmless(place.url)}: {loaded}, as store {done.store_id}, which takes over the hosts of {done.former_id}")
    hint(f"name it everywhere: RECOVERY_STATE (here it is {harmless(place.url)})")


def _prune(place: Opened, arguments: Namespace) -> None:
    before = place.store.describe().now - timedelta(seconds=seconds_of(arguments.older_than))
    gone = place.store.prune(before)
    _answer(arguments, {"events": gone, "before": to_text(before)}, f"deleted {count(gone, 'event')} recorded before {to_text(before)}")


def _answer(arguments: Namespace, answer: dict[str, Any], sentence: str) -> None:
    if arguments.json:
        say_json(answer)
    else:
        say(sentence)


def _write_new(path: str, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text + "\n")
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        os.unlink(path)
        raise
