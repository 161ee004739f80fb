# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The embedded state store: one SQLite file on the control node's own disk, by the standard library alone.

**Place.** A missing file is a fresh state: the first use of any method creates it, complete and at once, in a directory that is made when
needed (0700; the file 0600). An existing directory keeps its mode. Refused are network file systems, directories and files that anyone
can write, and a ``-wal``, ``-shm`` or ``-journal`` without its database (somebody deleted a state).

**Writing.** ``transact`` takes the write lock before it reads (``BEGIN IMMEDIATE``), so ``function`` runs on what nobody else can change and
as a rule exactly once. A write is on the disk when the call returns (``synchronous = FULL``): an attempt that was counted stays counted
through a power cut. The write-ahead log lets readers go on meanwhile.

**Reading.** Reads use a connection that cannot write, so a file that is not ours, damaged or newer is refused unchanged. A user who may only
read can read while the ``-wal`` and ``-shm`` files are there (the database is in use, or was read since the last write); else SQLite needs
to make them, and the answer is ``StateDenied``. Reading leaves them behind, empty; the next writer takes them away.

**Time.** ``Snapshot.now`` is this machine's clock in whole milliseconds, but never before the store's last write. A clock that was set back
stands still until it catches up, so that nothing written lies in the future, and leases and pauses last longer rather than shorter. The
price: after a write by a clock that was far ahead, time stands still until then. Whoever shows state can tell, by comparing ``now`` with the
clock.

**Waiting.** Each call has one deadline for everything: the locks of other threads and processes, opening, creating and migrating.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Callable, Iterator, Mapping, Sequence, TypeVar

from .._domain.errors import BadInput
from .._domain.events import Event
from .._domain.times import from_text, to_text
from . import sqlite_place
from .bodies import decode, decode_event, encode
from .sqlite_errors import from_os, from_sqlite
from .sqlite_schema import Found, fill, migrate, verify
from .store import Change, Document, Snapshot
from .store_errors import StateBusy, StateCorrupt

if TYPE_CHECKING:
    import sqlite3

Answer = TypeVar("Answer")

KEPT = timedelta(days=400)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.01  # seconds between two tries for a lock
_inherited: list[Any] = []  # connections that came over a fork: neither usable nor safe to close here


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class _Done:
    answer: Any


class SqliteStore:
    """A ``Store`` in the SQLite file ``path``; ``deadline`` is in seconds and for each call as a whole.

    Nothing is touched before the first call of a method. One object may serve several threads (one call at a time) and survives a fork;
    after ``close`` the next call opens it again.
    """

    def __init__(self, path: str, deadline: float = 10.0, clock: Callable[[], datetime] = utc_now) -> None:
        if not path or "\0" in path:
            raise BadInput(f"expected the path of a state database, found {path!r}")
        self.path = os.path.abspath(path)
        self._deadline = deadline
        self._clock = clock
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._writable = False

    def store_id(self) -> str:
        """See ``Store``."""
        return self._run(False, lambda _connection, found: found.store_id)

    def read(self, scopes: Sequence[str]) -> Snapshot:
        """See ``Store``."""
        asked = _asked(scopes)
        return self._run(False, lambda connection, found: self._load(connection, found, asked))

    def transact(self, scopes: Sequence[str], function: Callable[[Snapshot], Change]) -> Any:
        """See ``Store``."""
        asked = _asked(scopes)

        def attempt(connection: sqlite3.Connection, found: Found) -> Any:
            snapshot = self._load(connection, found, asked)
            change = function(snapshot)
            if change.documents or change.events:
                _write(connection, asked, change, snapshot.now)
            return change.answer

        return self._run(True, attempt)

    def scopes(self) -> list[str]:
        """See ``Store``."""
        rows = self._run(False, lambda connection, _found: connection.execute("SELECT scope FROM documents ORDER BY scope").fetchall())
        for (scope,) in rows:
            if not isinstance(scope, str):
                raise StateCorrupt(
                    f"expected texts as scopes in the state {self.path}, found a {type(scope).__name__}",
                    "Nothing was changed. Restore the state from a backup",
                )
        return [scope for (scope,) in rows]

    def events(self, scope: str | None = None, limit: int = 10) -> list[Event]:
        """See ``Store``."""
        if limit < 0:
            raise BadInput(f"expected how many events to show: 0 or more, found {limit}")
        rows = self._run(False, lambda connection, _found: _newest(connection, scope, min(limit, sys.maxsize)))
        return [decode_event(f"event {number} in the state {self.path}", body) for number, body in reversed(rows)]

    def close(self) -> None:
        """See ``Store``."""
        with self._exclusively(self._until()):
            self._disconnect()

    def _load(self, connection: sqlite3.Connection, found: Found, asked: Sequence[str]) -> Snapshot:
        documents: dict[str, Document | None] = {}
        for scope in asked:
            row = connection.execute("SELECT body FROM documents WHERE scope = ?", (scope,)).fetchone()
            documents[scope] = None if row is None else decode(f"document of {scope} in the state {self.path}", row[0])
        now = from_text(to_text(self._clock()))  # whole milliseconds, as it is written
        return Snapshot(max(now, found.written), documents)

    # One call: its lock, its connection, its transaction, and trying again until its deadline.

    def _run(self, write: bool, attempt: Callable[[sqlite3.Connection, Found], Answer]) -> Answer:
        until = self._until()
        pause = _FIRST_PAUSE
        with self._exclusively(until):
            while True:
                outcome = self._once(write, attempt, until)
                if isinstance(outcome, _Done):
                    answer: Answer = outcome.answer
                    return answer
                if time.monotonic() >= until:
                    raise from_sqlite(outcome, self.path) from outcome
                _sleep(pause, until)
                pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _once(self, write: bool, attempt: Callable[[sqlite3.Connection, Found], Any], until: float) -> _Done | sqlite3.Error:
        """One try: what it came to, or SQLite's error when others hold the database and another try is worth it."""
        import sqlite3

        try:
            connection = self._connected(write, until)
            with _transaction(connection, "IMMEDIATE" if write else "DEFERRED"):
                return _Done(attempt(connection, verify(connection, self.path)))
        except sqlite3.Error as error:
            failure = from_sqlite(error, self.path)
            if isinstance(failure, StateBusy):
                return error
            self._disconnect()
            raise failure from error
        except OSError as error:
            raise from_os(error, self.path) from error

    def _connected(self, write: bool, until: float) -> sqlite3.Connection:
        if self._connection is None or (write and not self._writable):
            self._disconnect()
            self._connection = self._open(write, until)
            self._writable = write
        return self._connection

    def _open(self, write: bool, until: float) -> sqlite3.Connection:
        path = os.path.realpath(self.path)
        if not sqlite_place.check(path):
            sqlite_place.create(path, self._build, until)
        with _closed_on_error(_connect(path, "ro")) as connection, _transaction(connection, "DEFERRED"):
            older = verify(connection, self.path).is_older
            sqlite_place.check_length(path, *_length(connection))
        if not write and not older:
            return connection
        connection.close()
        with _closed_on_error(_connect(path, "rw")) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            if older:
                with _transaction(connection, "IMMEDIATE"):
                    migrate(connection, self.path)
        return connection

    def _build(self, unfinished: str) -> None:
        with _closed_on_error(_connect(unfinished, "rw")) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            with _transaction(connection, "EXCLUSIVE"):
                fill(connection, os.urandom(16).hex(), to_text(self._clock()))
            connection.execute("PRAGMA journal_mode = WAL")  # kept in the file; where it is not to be had, a rollback journal is as safe
        connection.close()

    def _disconnect(self) -> None:
        connection, self._connection, self._writable = self._connection, None, False
        if connection is not None:
            connection.close()

    def _leave_to_parent(self) -> None:
        _inherited.append(self._connection)
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._connection, self._writable = None, False

    def _until(self) -> float:
        return time.monotonic() + self._deadline

    @contextmanager
    def _exclusively(self, until: float) -> Iterator[None]:
        if self._process != os.getpid():
            self._leave_to_parent()
        if not self._lock.acquire(timeout=max(0.0, until - time.monotonic())):
            raise StateBusy(f"expected the state {self.path} to become free within the deadline, found it in use by this process", "Try again")
        try:
            yield
        finally:
            self._lock.release()


def _connect(path: str, mode: str) -> sqlite3.Connection:
    import sqlite3
    from urllib.parse import quote

    uri = f"file:{quote(os.fsencode(path))}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False)


def _length(connection: sqlite3.Connection) -> tuple[int, int]:
    (pages,), (size,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size"))
    return pages, size


@contextmanager
def _closed_on_error(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


@contextmanager
def _transaction(connection: sqlite3.Connection, kind: str) -> Iterator[None]:
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has already rolled back by itself after some errors
            connection.execute("ROLLBACK")
        raise


def _sleep(pause: float, until: float) -> None:
    """Sleep about ``pause`` seconds, unevenly so that those who wait do not keep meeting, and not past ``until``."""
    uneven = 0.5 + (time.monotonic_ns() // 100 % 1000) / 1000
    time.sleep(max(0.0, min(pause * uneven, until - time.monotonic())))


def _asked(scopes: Sequence[Any]) -> tuple[str, ...]:
    for scope in scopes:
        if not isinstance(scope, str) or not scope or not scope.isprintable():
            raise BadInput(f"expected scopes of printable text, found {scope!r:.80}")
    if isinstance(scopes, str):
        raise BadInput(f"expected a list of scopes, found the text {scopes!r:.80}")
    return tuple(scopes)


def _write(connection: sqlite3.Connection, asked: Sequence[str], change: Change, now: datetime) -> None:
    moment = to_text(now)
    _write_documents(connection, asked, change.documents, moment)
    if change.events:
        rows = [(event.scope, moment, encode("event", event.to_json())) for event in change.events]
        connection.executemany("INSERT INTO events (scope, recorded_at, body) VALUES (?, ?, ?)", rows)
        _trim(connection, to_text(now - KEPT))
    connection.execute("UPDATE meta SET value = ? WHERE name = 'written_at'", (moment,))


def _write_documents(connection: sqlite3.Connection, asked: Sequence[str], documents: Mapping[str, Document], moment: str) -> None:
    for scope, document in documents.items():
        if scope not in asked:
            raise BadInput(f"expected changes of the scopes that were read ({', '.join(asked) or 'none'}), found one of {scope!r:.80}")
        body = encode(f"document of {scope}", document)
        connection.execute("INSERT OR REPLACE INTO documents (scope, body, updated_at) VALUES (?, ?, ?)", (scope, body, moment))


def _trim(connection: sqlite3.Connection, before: str) -> None:
    """Drop what is too old, a few at a time from the old end: numbers and times grow together, so nothing else is looked at."""
    connection.execute("DELETE FROM events WHERE number IN (SELECT number FROM events ORDER BY number LIMIT 100) AND recorded_at < ?", (before,))


def _newest(connection: sqlite3.Connection, scope: str | None, limit: int) -> list[tuple[int, Any]]:
    if scope is None:
        return connection.execute("SELECT number, body FROM events ORDER BY number DESC LIMIT ?", (limit,)).fetchall()
    # Everything that starts with "scope/" sorts from there to before "scope0": "0" follows "/".
    query = "SELECT number, body FROM events WHERE scope = ? OR (scope >= ? AND scope < ?) ORDER BY number DESC LIMIT ?"
    return connection.execute(query, (scope, f"{scope}/", f"{scope}0", limit)).fetchall()
