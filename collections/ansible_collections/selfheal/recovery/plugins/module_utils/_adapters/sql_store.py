# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the SQL stores share: every method of a ``Portable`` store, on top of the few statements and the transaction that are a store's own."""

from __future__ import annotations

import os
import threading
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Callable, Generic, Iterator, Mapping, Sequence, TypeVar

from .._domain.errors import BadInput
from .._domain.events import Event
from .bodies import decode, decode_event, encode
from .portable import Description, Recorded, Whole
from .retired import Retired
from .store import Change, Document, Snapshot
from .store_errors import StateBusy, StateCorrupt

Answer = TypeVar("Answer")
Connection = TypeVar("Connection")

KEPT = timedelta(days=400)  # events, by the contract
_inherited: list[Any] = []  # connections that came over a fork: neither usable nor safe to close here


@dataclass(frozen=True)
class Found:
    """What a store says about itself; ``written`` is its time at its last write, ``is_older`` whether its schema lacks steps."""

    version: int
    store_id: str
    written: datetime
    retired: Retired | None
    is_older: bool


class SqlStore(ABC, Generic[Connection]):
    """A store that messages call ``place``; ``deadline`` is in seconds and for each call as a whole.

    Nothing is touched before the first call of a method. One object has one connection, may serve several threads (one call at a time) and
    survives a fork; after ``close`` the next call opens it again.
    """

    def __init__(self, place: str, deadline: float) -> None:
        self._place = place
        self._deadline = deadline
        self._process = os.getpid()
        self._lock = threading.Lock()

    # Every store's own.

    @abstractmethod
    def _run(self, write: bool, attempt: Callable[[Connection, Found], Answer], retired_too: bool = False) -> Answer:
        """One call: ``attempt`` in a transaction, again until the deadline where that is worth it. Refuses a retired store unless told otherwise."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Close what is open."""

    @abstractmethod
    def _abandon(self) -> Any:
        """Forget what is open, which belongs to another process, and return it."""

    @abstractmethod
    def _read(self, connection: Connection, names: Sequence[str]) -> tuple[datetime, dict[str, Any]]:
        """The clock, and the stored texts of those of ``names`` that are there."""

    @abstractmethod
    def _documents(self, connection: Connection) -> Sequence[tuple[str, Any]]:
        """Scopes and stored texts, sorted by scope."""

    @abstractmethod
    def _events(self, connection: Connection) -> Sequence[tuple[int, datetime, Any]]:
        """Numbers, times and stored texts, oldest first."""

    @abstractmethod
    def _newest(self, connection: Connection, scope: str | None, limit: int) -> Sequence[tuple[int, Any]]:
        """Numbers and stored texts of the newest events of a scope and everything below it, newest first."""

    @abstractmethod
    def _put(self, connection: Connection, documents: Sequence[tuple[str, str]], events: Sequence[tuple[str, datetime, str]], now: datetime) -> None:
        """Write scopes and texts, append events (scope, time, text), and note the time of this write."""

    @abstractmethod
    def _trim(self, connection: Connection, before: datetime) -> None:
        """Delete events that were recorded before then, a few at a time from the old end: numbers and times grow together."""

    @abstractmethod
    def _prune(self, connection: Connection, before: datetime) -> int:
        """Delete all events that were recorded before then; how many there were."""

    @abstractmethod
    def _count(self, connection: Connection) -> tuple[int, int]:
        """How many documents and events there are."""

    @abstractmethod
    def _clear(self, connection: Connection, store_id: str) -> None:
        """Delete all documents and events, and take on an identity."""

    @abstractmethod
    def _note_retired(self, connection: Connection, note: str) -> None:
        """Keep the note on where the state went."""

    # A ``Store``.

    def store_id(self) -> str:
        """See ``Store``."""
        return self._run(False, lambda _connection, found: found.store_id)

    def read(self, scopes: Sequence[str]) -> Snapshot:
        """See ``Store``."""
        names = _asked(scopes)
        return self._run(False, lambda connection, found: self._load(connection, found, names))

    def transact(self, scopes: Sequence[str], function: Callable[[Snapshot], Change]) -> Any:
        """See ``Store``."""
        names = _asked(scopes)

        def attempt(connection: Connection, found: Found) -> Any:
            snapshot = self._load(connection, found, names)
            change = function(snapshot)
            if change.documents or change.events:
                self._write(connection, _texts(names, change.documents), change.events, snapshot.now)
            return change.answer

        return self._run(True, attempt)

    def scopes(self) -> list[str]:
        """See ``Store``."""
        found = [scope for scope, _body in self._run(False, lambda connection, _found: self._documents(connection))]
        for scope in found:
            if not isinstance(scope, str):
                raise StateCorrupt(
                    f"expected texts as scopes in the state {self._place}, found a {type(scope).__name__}",
                    "Nothing was changed. Restore the state from a backup",
                )
        return found

    def events(self, scope: str | None = None, limit: int = 10) -> list[Event]:
        """See ``Store``."""
        if limit < 0:
            raise BadInput(f"expected how many events to show: 0 or more, found {limit}")
        rows = self._run(False, lambda connection, _found: self._newest(connection, scope, limit))
        return [decode_event(self._event(number), body) for number, body in reversed(rows)]

    def close(self) -> None:
        """See ``Store``."""
        with self._exclusively(self._until()):
            self._disconnect()

    # As a whole.

    def describe(self) -> Description:
        """See ``Portable``."""

        def attempt(connection: Connection, found: Found) -> Description:
            return Description(found.store_id, found.version, self._load(connection, found, ()).now, found.written, found.retired)

        return self._run(False, attempt, retired_too=True)

    def whole(self, retired_too: bool = False) -> Whole:
        """See ``Portable``."""
        return self._run(False, self._whole, retired_too)

    def prune(self, before: datetime) -> int:
        """See ``Portable``."""
        return self._run(True, lambda connection, _found: self._prune(connection, before))

    def receive(self, function: Callable[[str, Callable[[Whole], None]], None]) -> None:
        """See ``Portable``."""

        def attempt(connection: Connection, found: Found) -> None:
            documents, events = self._count(connection)
            if documents or events:
                raise BadInput(
                    f"expected an empty store to import into, found {documents} documents and {events} events in {self._place}",
                    "Nothing was changed. Name a new place: --state URL",
                )
            function(found.store_id, lambda whole: self._replace(connection, found, whole))

        self._run(True, attempt)

    def retire(self, why: Retired, function: Callable[[Whole], None]) -> None:
        """See ``Portable``."""

        def attempt(connection: Connection, found: Found) -> None:
            if found.retired is not None and found.retired.to_id != why.to_id:
                raise found.retired.refusal(self._place)
            function(self._whole(connection, found))
            self._note_retired(connection, why.to_text())

        self._run(True, attempt, retired_too=True)

    def _replace(self, connection: Connection, found: Found, whole: Whole) -> None:
        self._clear(connection, whole.store_id)
        now = max(self._load(connection, found, ()).now, whole.now)
        events = [(each.scope, each.recorded_at, encode("event", each.body)) for each in whole.events]
        self._put(connection, _texts(tuple(whole.documents), whole.documents), events, now)
        if not self._whole(connection, found).same_content(whole):
            raise StateCorrupt(f"expected to read from {self._place} what was written, found something else", "Nothing was changed, neither here nor there")

    def _whole(self, connection: Connection, found: Found) -> Whole:
        documents = {scope: decode(self._document(scope), body) for scope, body in self._documents(connection)}
        events = [Recorded(at, decode(self._event(number), body)) for number, at, body in self._events(connection)]
        return Whole(found.store_id, self._load(connection, found, ()).now, documents, events)

    def _load(self, connection: Connection, found: Found, names: Sequence[str]) -> Snapshot:
        """Documents and the store's time: never before its last write."""
        now, there = self._read(connection, names)
        documents: dict[str, Document | None] = {name: decode(self._document(name), there[name]) if name in there else None for name in names}
        return Snapshot(max(now, found.written), documents)

    def _write(self, connection: Connection, documents: Sequence[tuple[str, str]], events: Sequence[Event], now: datetime) -> None:
        self._put(connection, documents, [(event.scope, now, encode("event", event.to_json())) for event in events], now)
        if events:
            self._trim(connection, now - KEPT)

    def _document(self, scope: str) -> str:
        return f"document of {scope} in the state {self._place}"

    def _event(self, number: int) -> str:
        return f"event {number} in the state {self._place}"

    # One call at a time.

    def _until(self) -> float:
        return time.monotonic() + self._deadline

    @contextmanager
    def _exclusively(self, until: float) -> Iterator[None]:
        if self._process != os.getpid():
            _inherited.append(self._abandon())
            self._process = os.getpid()
            self._lock = threading.Lock()
        if not self._lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise StateBusy(f"expected the state {self._place} to become free within the deadline, found it in use by this process", "Try again")
        try:
            yield
        finally:
            self._lock.release()


def below(scope: str) -> tuple[str, str]:
    """The first scope below ``scope`` and the end of them, in the order of code points: "0" follows "/"."""
    return f"{scope}/", f"{scope}0"


def _asked(scopes: Sequence[Any]) -> tuple[str, ...]:
    for scope in scopes:
        if not isinstance(scope, str) or not scope or not scope.isprintable():
            raise BadInput(f"expected scopes of printable text, found {scope!r:.80}")
    if isinstance(scopes, str):
        raise BadInput(f"expected a list of scopes, found the text {scopes!r:.80}")
    return tuple(scopes)


def _texts(names: Sequence[str], documents: Mapping[str, Document]) -> list[tuple[str, str]]:
    for scope in documents:
        if scope not in names:
            raise BadInput(f"expected changes of the scopes that were read ({', '.join(names) or 'none'}), found one of {scope!r:.80}")
    return [(scope, encode(f"document of {scope}", document)) for scope, document in documents.items()]
