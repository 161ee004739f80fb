# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The state store that several control nodes share: a schema ``selfheal`` in a PostgreSQL database, by SQLAlchemy Core and psycopg 3.

**Place.** A database without the schema is a fresh state: the first use creates it when the role may, else it says how the owner does. A schema
without its tables is a state that was lost, never a fresh one.

**Writing.** ``transact`` locks the table ``selfheal.meta`` before it reads. That is one lock for all scopes, those nobody has written yet
included: there is no order in which two writers could wait for each other, events are numbered in the order of their commits, and the time is
taken when nobody else writes. The server hands it out first come, first served, which it does not do with the lock of a row that each holder
changes: there one writer can starve. Readers do not wait. Whoever stops in the middle is sent away by the server, early enough for the others. A write
is on the disk when the call returns (``synchronous_commit`` is never ``off``).

**Reading.** One snapshot (``REPEATABLE READ, READ ONLY``), on a standby too.

**Time.** The server's ``clock_timestamp()`` in whole milliseconds, but never before the store's last write, as after a fail-over to a server
whose clock is behind.

**Waiting.** Each call has one deadline for connecting, the locks of others, and every statement; see ``postgresql_connection``. A line that
broke before the commit is no harm: on a connection that was kept from an earlier call it is tried once more. A line that broke *in* the commit
is ``StateUncertain``.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable, Iterator, Sequence, TypeVar

from .postgresql_connection import GRACE, Line, connect
from .postgresql_errors import ABSENT, AGAIN, Scrubber, code, from_server, is_lost, overdue, uncertain
from .postgresql_schema import create, is_there, migrate, verify
from .postgresql_url import Address
from .sql_store import Found, SqlStore, below
from .store_errors import StateBusy

if TYPE_CHECKING:
    from sqlalchemy import Connection

Answer = TypeVar("Answer")

_PAUSE = 0.1  # seconds before another try

_NOW = "SELECT date_trunc('milliseconds', clock_timestamp())"
_LOAD = f"SELECT now, scope, body FROM ({_NOW} AS now) AS clock LEFT JOIN selfheal.documents ON scope = ANY(CAST(:scopes AS text[]))"
_PUT_DOCUMENT = (
    "INSERT INTO selfheal.documents (scope, body, updated_at) VALUES (:scope, :body, :at)"
    " ON CONFLICT (scope) DO UPDATE SET body = excluded.body, updated_at = excluded.updated_at"
)
_PUT_EVENT = "INSERT INTO selfheal.events (scope, recorded_at, body) VALUES (:scope, :at, :body)"


class _Again(Exception):
    """Another try is worth it; ``refusal`` is what to raise if there is no time left for one."""

    def __init__(self, refusal: Exception) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


class PostgresqlStore(SqlStore["Connection"]):
    """A store in the database at ``address``, which messages call ``shown``."""

    def __init__(self, address: Address, shown: str, deadline: float = 10.0) -> None:
        super().__init__(shown, deadline)
        self._address = address
        self._scrub = Scrubber(address.secrets)
        self._line: Line | None = None

    def present(self) -> bool:
        """See ``Portable``."""
        until = self._until()
        with self._exclusively(until):
            return self._tried(False, lambda connection: is_there(connection, self._place), until, prepared=True)

    def _read(self, connection: Connection, names: Sequence[str]) -> tuple[datetime, dict[str, Any]]:
        rows = _all(connection, _LOAD, scopes=list(names))
        return rows[0][0], {scope: body for _now, scope, body in rows if scope is not None}

    def _documents(self, connection: Connection) -> Sequence[tuple[str, Any]]:
        return _all(connection, "SELECT scope, body FROM selfheal.documents ORDER BY scope")

    def _events(self, connection: Connection) -> Sequence[tuple[int, datetime, Any]]:
        return _all(connection, "SELECT number, recorded_at, body FROM selfheal.events ORDER BY number")

    def _newest(self, connection: Connection, scope: str | None, limit: int) -> Sequence[tuple[int, Any]]:
        limit = min(limit, sys.maxsize)
        if scope is None:
            return _all(connection, "SELECT number, body FROM selfheal.events ORDER BY number DESC LIMIT :limit", limit=limit)
        query = "SELECT number, body FROM selfheal.events WHERE scope = :scope OR (scope >= :first AND scope < :last) ORDER BY number DESC LIMIT :limit"
        first, last = below(scope)
        return _all(connection, query, scope=scope, first=first, last=last, limit=limit)

    def _put(self, connection: Connection, documents: Sequence[tuple[str, str]], events: Sequence[tuple[str, datetime, str]], now: datetime) -> None:
        _many(connection, _PUT_DOCUMENT, [{"scope": scope, "body": body, "at": now} for scope, body in documents])
        _many(connection, _PUT_EVENT, [{"scope": scope, "at": at, "body": body} for scope, at, body in events])
        _changed(connection, "UPDATE selfheal.meta SET written_at = :at", at=now)

    def _trim(self, connection: Connection, before: datetime) -> None:
        statement = "DELETE FROM selfheal.events WHERE number IN (SELECT number FROM selfheal.events ORDER BY number LIMIT 100) AND recorded_at < :before"
        _changed(connection, statement, before=before)

    def _prune(self, connection: Connection, before: datetime) -> int:
        return _changed(connection, "DELETE FROM selfheal.events WHERE recorded_at < :before", before=before)

    def _count(self, connection: Connection) -> tuple[int, int]:
        ((documents, events),) = _all(connection, "SELECT (SELECT count(*) FROM selfheal.documents), (SELECT count(*) FROM selfheal.events)")
        return documents, events

    def _clear(self, connection: Connection, store_id: str) -> None:
        _changed(connection, "DELETE FROM selfheal.documents")
        _changed(connection, "DELETE FROM selfheal.events")
        _changed(connection, "UPDATE selfheal.meta SET store_id = :store_id", store_id=store_id)

    def _note_retired(self, connection: Connection, note: str) -> None:
        _changed(connection, "UPDATE selfheal.meta SET retired = :note", note=note)

    # One call: its connection, its transaction, and trying again until its deadline.

    def _run(self, write: bool, attempt: Callable[[Connection, Found], Answer], retired_too: bool = False) -> Answer:
        until = self._until()

        def verified(connection: Connection) -> Answer:
            found = verify(connection, self._place, lock=write)
            if found.is_older:
                raise _Unprepared
            if found.retired is not None and not retired_too:
                raise found.retired.refusal(self._place)
            return attempt(connection, found)

        with self._exclusively(until):
            try:
                return self._tried(write, verified, until)
            except _Unprepared:
                self._tried(True, self._prepare, until, prepared=True)
            return self._tried(write, verified, until, prepared=True)

    def _prepare(self, connection: Connection) -> None:
        """Make what is missing: everything, or the steps since an older release."""
        if not create(connection, self._place, os.urandom(16).hex()):
            migrate(connection, self._place)

    def _tried(self, write: bool, attempt: Callable[[Connection], Answer], until: float, prepared: bool = False) -> Answer:
        while True:
            try:
                return self._once(write, attempt, until, prepared)
            except _Again as again:
                if time.monotonic() + _PAUSE >= until:
                    raise again.refusal from None
                time.sleep(_PAUSE)

    def _once(self, write: bool, attempt: Callable[[Connection], Answer], until: float, prepared: bool) -> Answer:
        kept = self._line is not None
        line = self._connected(until)
        committing = False
        try:
            with line.watched(until + GRACE - time.monotonic()), _rolled_back_on_error(line):
                line.begin(write, until - time.monotonic())
                answer = attempt(line.connection)
                committing = write  # the end of a question changes nothing
                line.connection.commit()
                return answer
        except _sqlalchemy_error() as error:
            failure = self._failure(error, line, kept, committing)
            if code(error) in ABSENT and not prepared:
                failure = _Unprepared()
            raise failure from failure.__cause__

    def _failure(self, error: Exception, line: Line, kept: bool, committing: bool) -> Exception:
        """What to raise for ``error``: a refusal, or the sign that another try is worth it."""
        found = code(error)
        lost = is_lost(error) or line.is_cut
        if lost:
            self._disconnect()
        if committing and (lost or found not in AGAIN):
            self._disconnect()
            return uncertain(None if line.is_cut else error, self._place, self._scrub)
        if line.is_cut:
            return overdue(self._place, self._deadline)
        failure = from_server(error, self._place, self._scrub)
        if found in AGAIN or (lost and kept):
            return _Again(failure)
        return failure

    def _connected(self, until: float) -> Line:
        if self._line is not None and self._line.is_cut:  # just after its last answer
            self._disconnect()
        if self._line is None:
            try:
                self._line = connect(self._address.parameters, self._place, until, self._scrub)
            except StateBusy as error:  # the server's places are taken
                raise _Again(error) from None
        return self._line

    def _disconnect(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _abandon(self) -> Line | None:
        line, self._line = self._line, None
        return line


class _Unprepared(Exception):
    """There is no state yet, or one of an older release, or something else: ``_prepare`` finds out."""


def _sqlalchemy_error() -> type[Exception]:
    from sqlalchemy.exc import SQLAlchemyError

    return SQLAlchemyError


@contextmanager
def _rolled_back_on_error(line: Line) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(_sqlalchemy_error()):  # the error that led here is the one to tell
            line.connection.rollback()
        raise


def _all(connection: Connection, query: str, **values: Any) -> Sequence[Any]:
    from sqlalchemy import text

    return connection.execute(text(query), values).fetchall()


def _changed(connection: Connection, statement: str, **values: Any) -> int:
    from sqlalchemy import text

    return connection.execute(text(statement), values).rowcount


def _many(connection: Connection, statement: str, rows: Sequence[dict[str, Any]]) -> None:
    from sqlalchemy import text

    if rows:
        connection.execute(text(statement), list(rows))
