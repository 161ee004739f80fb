# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One connection to PostgreSQL that cannot hang anybody.

The server keeps time limits of its own for each transaction (they are set inside it, so that a pooler between does no harm). A server that is
frozen and a network that swallows everything keep none: so connecting happens in a thread that is not waited for beyond the deadline, and a
timer shuts the line down under a call that is overdue.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Iterator, Mapping

from .background import Background
from .postgresql_errors import Scrubber, from_connect, overdue
from .store import StateError

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection

GRACE = 1.0  # seconds beyond a call's deadline, in which the server's own limits may answer with a better reason
_LIMITS = """
SELECT set_config('lock_timeout', :lock, true), set_config('statement_timeout', :statement, true),
    set_config('idle_in_transaction_session_timeout', :idle, true), set_config('search_path', 'pg_catalog', true),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)
"""
_UNLESS_TOLD: Mapping[str, Any] = {"application_name": "selfheal", "keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}


def require_libraries() -> None:
    """Raises ``StateError`` with the way to install them when this interpreter lacks psycopg 3 or SQLAlchemy 2."""
    try:
        import psycopg  # noqa: F401 - the module of version 2 has another name
        import sqlalchemy

        if int(sqlalchemy.__version__.split(".")[0]) >= 2:
            return
        found = f"SQLAlchemy {sqlalchemy.__version__}"
    except ImportError as error:
        found = str(error).partition("\n")[0].rstrip(".")
    raise StateError(
        f"expected SQLAlchemy 2 and psycopg 3 for {sys.executable}, which runs this, found: {found}",
        f"Install them for exactly that interpreter: {sys.executable} -m pip install 'psycopg[binary]>=3.2' 'SQLAlchemy>=2.0.30'",
    )


class Line:
    """An open connection, psycopg's with SQLAlchemy's around it, and the timer that can cut it."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self.connection = _wrapped(raw)
        self.is_cut = False
        self._raw = raw
        self._socket = socket.socket(fileno=os.dup(raw.pgconn.socket))  # shutting it down reaches every copy

    @contextmanager
    def watched(self, seconds: float) -> Iterator[None]:
        """Cut the line when the block takes longer: whoever waits for it gets an error at once."""
        timer = threading.Timer(max(0.0, seconds), self._cut)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()

    def begin(self, write: bool, seconds: float) -> None:
        """Begin a transaction whose every statement the server gives up after ``seconds``.

        It ends the transaction, too, when nobody goes on with it for little more than half of that: who came right after it, and waits as
        long, gets its turn.
        """
        from psycopg import IsolationLevel
        from sqlalchemy import text

        left = max(1, int(seconds * 1000))
        self._raw.isolation_level = IsolationLevel.READ_COMMITTED if write else IsolationLevel.REPEATABLE_READ
        self._raw.read_only = None if write else True  # not False: that would overrule default_transaction_read_only
        self.connection.execute(text(_LIMITS), {"lock": str(left), "statement": str(left + 200), "idle": str(left // 2 + 1000)})

    def close(self) -> None:
        """Give it back without waiting for an answer."""
        from sqlalchemy.exc import SQLAlchemyError

        self._socket.close()
        with suppress(SQLAlchemyError):  # whatever is wrong with it, it is not used again
            self.connection.invalidate()
            self.connection.close()

    def _cut(self) -> None:
        self.is_cut = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def connect(parameters: Mapping[str, str], shown: str, until: float, scrub: Scrubber) -> Line:
    """A connection that is there before ``until`` (monotonic), or a ``StateError``."""
    require_libraries()
    import psycopg
    from sqlalchemy.exc import SQLAlchemyError

    seconds = max(0.0, until - time.monotonic())
    attempt = Background(lambda: _open(parameters, seconds, until), name="postgresql-connect")
    try:
        return attempt.result(seconds)
    except TimeoutError:
        raise overdue(shown, seconds) from None
    except (psycopg.Error, SQLAlchemyError, TypeError, ValueError) as error:
        raise from_connect(error, shown, scrub) from None


def _open(parameters: Mapping[str, str], seconds: float, until: float) -> Line:
    import psycopg
    from psycopg.conninfo import make_conninfo

    patience = max(2, int(seconds) + 1)  # libpq takes no less
    limits = {"connect_timeout": patience, "tcp_user_timeout": patience * 1000}
    # Only libpq's parameters get through here: psycopg's own are not for a URL to set.
    target = make_conninfo("", **{**limits, **_UNLESS_TOLD, **parameters, "client_encoding": "UTF8"})
    raw = psycopg.connect(target, prepare_threshold=None)  # prepared statements do not survive transaction poolers
    try:
        line = Line(raw)
    except BaseException:
        raw.close()
        raise
    if time.monotonic() >= until:  # nobody waits for it any more
        line.close()
    return line


def _wrapped(raw: Any) -> Connection:
    """SQLAlchemy's connection around an open one of psycopg; it never opens another."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: raw, poolclass=NullPool, pool_reset_on_return=None, hide_parameters=True, use_native_hstore=False
    )
    return engine.connect()
