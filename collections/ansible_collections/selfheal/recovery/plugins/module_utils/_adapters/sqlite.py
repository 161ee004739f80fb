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
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, Iterator, Sequence, TypeVar

from .._domain.errors import BadInput
from .._domain.times import from_text, to_text
from . import sqlite_place
from .portable import Whole
from .retired import BACKUP, Retired
from .sql_store import Found, SqlStore, below
from .sqlite_errors import from_os, from_sqlite
from .sqlite_schema import fill, migrate, verify
from .store_errors import StateBusy

if TYPE_CHECKING:
    import sqlite3

Answer = TypeVar("Answer")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.01  # seconds between two tries for a lock


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class _Done:
    answer: Any


class SqliteStore(SqlStore["sqlite3.Connection"]):
    """A store in the SQLite file ``path``."""

    def __init__(self, path: str, deadline: float = 10.0, clock: Callable[[], datetime] = utc_now) -> None:
        if not path or "\0" in path:
            raise BadInput(f"expected the path of a state database, found {path!r}")
        self.path = os.path.abspath(path)
        super().__init__(self.path, deadline)
        self._clock = clock
        self._connection: sqlite3.Connection | None = None
        self._writable = False

    def present(self) -> bool:
        """See ``Portable``."""
        try:
            return sqlite_place.check(os.path.realpath(self.path))
        except OSError as error:
            raise from_os(error, self.path) from error

    def backup(self, path: str, by: str) -> Whole:
        """Write a copy as of one moment to the new file ``path`` (0600), retired as a backup, and return what is in it.

        Raises ``FileExistsError``, which leaves what is there as it is, and other ``OSError``.
        """
        import sqlite3
        import tempfile

        _make_empty(path)
        try:
            with tempfile.TemporaryDirectory(prefix=".backup-", dir=os.path.dirname(path) or ".") as directory:
                draft = os.path.join(directory, "state.db")
                _make_empty(draft)
                self._copy(draft, by)
                os.replace(draft, path)  # marked: killed before, it is not there
            return SqliteStore(path, self._deadline, self._clock).whole(retired_too=True)
        except BaseException as error:
            os.unlink(path)
            if isinstance(error, sqlite3.Error):
                raise from_sqlite(error, path) from error
            raise

    def _copy(self, path: str, by: str) -> None:
        with _closed_on_error(_connect(os.path.realpath(path), "rw")) as copy:
            self._run(False, lambda connection, _found: connection.backup(copy))
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
            with _transaction(copy, "EXCLUSIVE"):
                _note(copy, "retired", Retired(BACKUP, to_text(self._clock()), by).to_text())
        copy.close()

    def _read(self, connection: sqlite3.Connection, names: Sequence[str]) -> tuple[datetime, dict[str, Any]]:
        there = {}
        for scope in names:
            row = connection.execute("SELECT body FROM documents WHERE scope = ?", (scope,)).fetchone()
            if row is not None:
                there[scope] = row[0]
        return from_text(to_text(self._clock())), there  # whole milliseconds, as it is written

    def _documents(self, connection: sqlite3.Connection) -> Sequence[tuple[str, Any]]:
        return connection.execute("SELECT scope, body FROM documents ORDER BY scope").fetchall()

    def _events(self, connection: sqlite3.Connection) -> Sequence[tuple[int, datetime, Any]]:
        rows = connection.execute("SELECT number, recorded_at, body FROM events ORDER BY number").fetchall()
        return [(number, from_text(at), body) for number, at, body in rows]

    def _newest(self, connection: sqlite3.Connection, scope: str | None, limit: int) -> Sequence[tuple[int, Any]]:
        limit = min(limit, sys.maxsize)
        if scope is None:
            return connection.execute("SELECT number, body FROM events ORDER BY number DESC LIMIT ?", (limit,)).fetchall()
        query = "SELECT number, body FROM events WHERE scope = ? OR (scope >= ? AND scope < ?) ORDER BY number DESC LIMIT ?"
        return connection.execute(query, (scope, *below(scope), limit)).fetchall()

    def _put(self, connection: sqlite3.Connection, documents: Sequence[tuple[str, str]], events: Sequence[tuple[str, datetime, str]], now: datetime) -> None:
        moment = to_text(now)
        rows = [(scope, body, moment) for scope, body in documents]
        connection.executemany("INSERT OR REPLACE INTO documents (scope, body, updated_at) VALUES (?, ?, ?)", rows)
        happened = [(scope, to_text(at), body) for scope, at, body in events]
        connection.executemany("INSERT INTO events (scope, recorded_at, body) VALUES (?, ?, ?)", happened)
        _note(connection, "written_at", moment)

    def _trim(self, connection: sqlite3.Connection, before: datetime) -> None:
        statement = "DELETE FROM events WHERE number IN (SELECT number FROM events ORDER BY number LIMIT 100) AND recorded_at < ?"
        connection.execute(statement, (to_text(before),))

    def _prune(self, connection: sqlite3.Connection, before: datetime) -> int:
        return connection.execute("DELETE FROM events WHERE recorded_at < ?", (to_text(before),)).rowcount

    def _count(self, connection: sqlite3.Connection) -> tuple[int, int]:
        documents, events = connection.execute("SELECT (SELECT count(*) FROM documents), (SELECT count(*) FROM events)").fetchone()
        return documents, events

    def _clear(self, connection: sqlite3.Connection, store_id: str) -> None:
        connection.execute("DELETE FROM documents")
        connection.execute("DELETE FROM events")
        _note(connection, "store_id", store_id)

    def _note_retired(self, connection: sqlite3.Connection, note: str) -> None:
        _note(connection, "retired", note)

    # One call: its connection, its transaction, and trying again until its deadline.

    def _run(self, write: bool, attempt: Callable[[sqlite3.Connection, Found], Answer], retired_too: bool = False) -> Answer:
        until = self._until()
        pause = _FIRST_PAUSE

        def verified(connection: sqlite3.Connection) -> Answer:
            found = verify(connection, self.path)
            if found.retired is not None and not retired_too:
                raise found.retired.refusal(self.path)
            return attempt(connection, found)

        with self._exclusively(until):
            while True:
                outcome = self._once(write, verified, until)
                if isinstance(outcome, _Done):
                    answer: Answer = outcome.answer
                    return answer
                if time.monotonic() >= until:
                    raise from_sqlite(outcome, self.path) from outcome
                _sleep(pause, until)
                pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _once(self, write: bool, attempt: Callable[[sqlite3.Connection], Any], until: float) -> _Done | sqlite3.Error:
        """One try: what it came to, or SQLite's error when others hold the database and another try is worth it."""
        import sqlite3

        try:
            connection = self._connected(write, until)
            with _transaction(connection, "IMMEDIATE" if write else "DEFERRED"):
                return _Done(attempt(connection))
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

    def _abandon(self) -> sqlite3.Connection | None:
        connection, self._connection, self._writable = self._connection, None, False
        return connection


def _make_empty(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


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


def _note(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, value))
