# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A state on its way from one store to another, without ever two live stores of one identity.

**A move** (store to store) keeps the identity: hosts go on without noticing. Both stores are locked; everything is written to the new one and
read back; then the old one is retired, and after that the new one begins to exist. Cut short in between, no store is usable, nothing is
lost, and the same command again finishes it: the old store's note names the very store that may take over.

**A copy** (from a file, a backup, or a store that was retired for another one) gets an identity of its own, because nobody can know whether the
old one still lives. The environments adopt the old identity, on a person's reason, so that hosts follow; whoever comes with the old one
afterwards is refused by them.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, replace
from typing import Callable

from ...module_utils._adapters.portable import Portable, Recorded, Whole
from ...module_utils._adapters.retired import MOVED, Retired
from ...module_utils._adapters.stores import open_store, redacted
from ...module_utils._domain.errors import BadInput, RecoveryError
from ...module_utils._domain.operator import Order, adopt_hosts
from ...module_utils._domain.scope import Scope
from ...module_utils._domain.state import environment_from_json, service_from_json, to_json
from ...module_utils._domain.times import from_text, to_text

SECONDS = 300.0  # the deadline of each store for a whole transfer
_POLL_S = 1.0
_SQLITE = b"SQLite format 3\0"


class InFlight(RecoveryError):
    """A session holds a lease in the state that was to be moved."""

    reason = "in_flight"


@dataclass(frozen=True)
class Place:
    """A store and its URL as it may be shown."""

    store: Portable
    shown: str


@dataclass(frozen=True)
class Transferred:
    """What a transfer came to. ``moved``: the identity went along, and the old store is retired."""

    moved: bool
    store_id: str
    former_id: str
    documents: int
    events: int


def transfer(source: str, target: Place, by: str, reason: str, wait_s: float) -> Transferred:
    """Bring the state of ``source`` (a URL or a file) into the empty store ``target``; raises a ``RecoveryError`` and then nothing is half done."""
    if "://" not in source and not _is_sqlite(source):
        return _copy(_read(source), target, by, reason)
    url = source if "://" in source else f"sqlite:///{os.path.abspath(source)}"
    origin = Place(open_store(url, SECONDS), redacted(url))
    try:
        return _from_store(origin, target, by, reason, wait_s)
    finally:
        origin.store.close()


def _from_store(origin: Place, target: Place, by: str, reason: str, wait_s: float) -> Transferred:
    if not origin.store.present():
        raise BadInput(f"expected a state in {origin.shown}, found none", "Nothing was made there. Check the URL")
    old, new = origin.store.describe(), target.store.describe()
    why = Retired(MOVED, to_text(old.now), by, target.shown, new.store_id)
    if old.store_id == new.store_id:
        if new.retired is not None:
            raise BadInput(
                f"expected an empty store to import into, found one of this very state that is retired in {target.shown}",
                "Nothing was changed. Name a new place: --state URL",
            )
        if old.retired is None:
            raise BadInput(f"expected another store than the one the state is in, found {target.shown} itself, or a copy of its files")
        return _counted(True, target.store.whole(), old.store_id)
    if old.retired is None or old.retired.to_id == new.store_id:
        return _patiently(lambda: _move(origin, target, why), wait_s)
    if not reason:
        raise old.retired.refusal(origin.shown)
    return _copy(origin.store.whole(retired_too=True), target, by, reason)


def _move(origin: Place, target: Place, why: Retired) -> Transferred:
    moved: list[Whole] = []

    def handed(_new_id: str, write: Callable[[Whole], None]) -> None:
        def given(whole: Whole) -> None:
            _require_idle(whole)
            write(whole)
            moved[:] = [whole]

        origin.store.retire(why, given)

    target.store.receive(handed)
    return _counted(True, moved[0], moved[0].store_id)


def _copy(whole: Whole, target: Place, by: str, reason: str) -> Transferred:
    if not reason.strip():
        raise BadInput(
            "expected a reason for importing a copy: the new store takes hosts over from the one that was copied",
            "Give one, and make sure that nobody uses the old one any more: --reason WHY",
        )
    now = max(target.store.describe().now, whole.now)
    copied: list[Whole] = []

    def fill(new_id: str, write: Callable[[Whole], None]) -> None:
        copied[:] = [replace(_adopting(whole, Order(now, Scope("-", "-"), by, reason)), store_id=new_id)]
        write(copied[0])

    target.store.receive(fill)
    return _counted(False, copied[0], whole.store_id)


def _adopting(whole: Whole, order: Order) -> Whole:
    """``whole`` with its own identity adopted in every environment, and an event that says so."""
    documents, events = dict(whole.documents), list(whole.events)
    for name in sorted({scope.partition("/")[0] for scope in documents}):
        environment, said = adopt_hosts(environment_from_json(name, documents.get(name)), name, order, whole.store_id)
        documents[name] = json.loads(json.dumps(to_json(environment)))
        events += [Recorded(order.now, event.to_json()) for event in said]
    return replace(whole, now=order.now, documents=documents, events=events)


def _counted(moved: bool, whole: Whole, former_id: str) -> Transferred:
    return Transferred(moved, whole.store_id, former_id, len(whole.documents), len(whole.events))


def _require_idle(whole: Whole) -> None:
    """Raises ``InFlight`` when somebody holds a lease: its next step would find no state."""
    for scope, document in whole.documents.items():
        session = service_from_json(scope, document).session if "/" in scope else None
        if session is not None and from_text(session.expires_at) > whole.now:
            raise InFlight(
                f"expected no session in flight, found {session.id} of {session.holder} on {scope} with a lease until {session.expires_at}",
                "Nothing was moved. Wait for its end: --wait 15m",
            )


def _patiently(move: Callable[[], Transferred], wait_s: float) -> Transferred:
    until = time.monotonic() + wait_s
    while True:
        try:
            return move()
        except InFlight:
            if time.monotonic() >= until:
                raise
            time.sleep(min(_POLL_S, max(0.0, until - time.monotonic())))


def _is_sqlite(path: str) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE


def _read(path: str) -> Whole:
    try:
        with open(path, encoding="utf-8") as stream:
            return Whole.from_json(json.load(stream))
    except (ValueError, RecursionError):
        raise BadInput(f"expected the JSON of 'selfheal state export' or a backup in {path!r:.200}, found something else") from None
