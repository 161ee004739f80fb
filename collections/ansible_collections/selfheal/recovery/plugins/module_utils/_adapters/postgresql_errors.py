# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures of PostgreSQL and of the way to it, told in the state's own words.

SQLSTATE decides where there is one (https://www.postgresql.org/docs/current/errcodes-appendix.html). A connection that fails has none: libpq
hands over text only, in the server's language; what is not recognized is told as it is.
"""

from __future__ import annotations

import os
import re
from typing import Sequence

from .store import StateError
from .store_errors import StateBusy, StateCorrupt, StateDenied, StateFull, StateMisplaced, StateUncertain, StateUnreachable

GRANTS = (
    "GRANT USAGE ON SCHEMA selfheal TO ROLE; GRANT SELECT, UPDATE ON selfheal.meta TO ROLE; "
    "GRANT SELECT, INSERT, UPDATE, DELETE ON selfheal.documents TO ROLE; GRANT SELECT, INSERT, DELETE ON selfheal.events TO ROLE"
)
AGAIN = frozenset({"40001", "40P01"})  # serialization failure, deadlock: undone as a whole by the server
ABSENT = frozenset({"42P01", "3F000", "42703", "42883"})  # table, schema, column, function that is not there
UNSENT = "Nothing was written. "
_NOTHING = "Nothing was changed. "
_LOST = ("08", "57P", "25P03")  # connection exceptions; the operator's intervention; idle for too long
_LONGEST_SECRET_SHOWN = 3
_NAME = re.compile('"[^"]*"')  # of a host, a database or a role: no reason for anything


class Scrubber:
    """Takes secrets out of text that came from elsewhere, and puts it on one line."""

    def __init__(self, secrets: Sequence[str] = ()) -> None:
        self._secrets = secrets

    def __call__(self, text: object) -> str:
        """``text`` in one line of at most 300 characters."""
        line = " ".join(str(text).split())
        for secret in sorted({*self._secrets, os.environ.get("PGPASSWORD", "")}, key=len, reverse=True):
            if len(secret) > _LONGEST_SECRET_SHOWN:
                line = line.replace(secret, "***")
        return line[:300].rstrip(".")


def code(error: BaseException) -> str:
    """The SQLSTATE of an error of SQLAlchemy or psycopg; empty when the server did not say one."""
    return str(getattr(getattr(error, "orig", None) or error, "sqlstate", None) or "")


def is_lost(error: BaseException) -> bool:
    """Whether the line to the server is gone: nothing that was not committed is kept."""
    found = code(error)
    return found.startswith(_LOST) if found else _name(error) in ("OperationalError", "InterfaceError", "ResourceClosedError", "PendingRollbackError")


def from_server(error: BaseException, shown: str, scrub: Scrubber) -> StateError:
    """``error``, met on an open connection before anything was committed, as a typed ``StateError``."""
    found = code(error)
    said = scrub(_primary(error))
    if found == "55P03":
        return StateBusy(
            f"expected the state {shown} to become free within the deadline, found it locked by another session of the server",
            f"{UNSENT}Try again; SELECT * FROM pg_stat_activity WHERE datname = current_database() shows who holds it",
        )
    if found == "57014":
        return StateBusy(f"expected the server of {shown} to answer within the deadline, found: {said}", f"{UNSENT}Try again; look at the load of the server")
    if found in AGAIN:
        return StateBusy(f"expected a turn at the state {shown} within the deadline, found others in the way: {said}", f"{UNSENT}Try again")
    if found in ("25006", "25P02"):
        return StateDenied(
            f"expected to write to {shown}, found a server that only reads (a standby, or default_transaction_read_only)",
            f"{UNSENT}Name the primary, or name both and let the client choose: postgresql://HOST1,HOST2/DATABASE?target_session_attrs=read-write",
        )
    if found == "42501":
        return StateDenied(
            f"expected to be allowed to use the state in {shown}, found: {said}",
            f"{UNSENT}As the owner of the database run: selfheal state init --state OWNER-URL, then for the role of this URL: {GRANTS}",
        )
    if found.startswith("53") and found != "53300":
        return StateFull(f"expected room to keep the state {shown}, found: {said}", f"{UNSENT}Free some space or memory on the server")
    if found in ABSENT or found.startswith(("XX", "22", "23")):
        return StateCorrupt(f"expected a sound state in {shown}, found: {said}", f"{_NOTHING}Restore the state from a backup")
    if is_lost(error):
        return StateUnreachable(f"expected the server of {shown} to go on answering, found: {said}", f"{UNSENT}Look whether it is up, and try again")
    return StateError(f"expected to use the state {shown}, found: {said}", f"{_NOTHING}Look at the log of the server")


def from_connect(error: BaseException, shown: str, scrub: Scrubber) -> StateError:
    """``error``, met while connecting, as a typed ``StateError``."""
    said = scrub(_primary(error))
    low = _NAME.sub('""', said.lower())
    for pattern, kind, advice in _CONNECTING:
        if re.search(pattern, low):
            return kind(f"expected to be let in to {shown}, found: {said}", UNSENT + advice)
    return StateUnreachable(
        f"expected to reach the server of {shown}, found: {said}", f"{UNSENT}Look whether it runs and listens there, and whether a firewall is between"
    )


def overdue(shown: str, seconds: float) -> StateError:
    """Nothing came back in time, and nothing was committed."""
    return StateUnreachable(
        f"expected {shown} to answer within {seconds:.3g} s, found silence", f"{UNSENT}Look whether the server and the network are up, and try again"
    )


def uncertain(error: BaseException | None, shown: str, scrub: Scrubber) -> StateUncertain:
    """The answer to a commit never came."""
    said = scrub(_primary(error)) if error is not None else "silence"
    return StateUncertain(
        f"expected {shown} to confirm what was written, found: {said}",
        "It is not known whether it was written. Look before you repeat it: selfheal breaker status; an attempt left open is settled after its lease",
    )


def _primary(error: BaseException) -> str:
    original = getattr(error, "orig", None) or error
    diag = getattr(original, "diag", None)
    return str(getattr(diag, "message_primary", None) or original)


def _name(error: BaseException) -> str:
    return type(getattr(error, "orig", None) or error).__name__


_CONNECTING = (
    (
        r"password authentication failed|no password supplied|authentication failed",
        StateDenied,
        "Check user and password: those of the URL, PGPASSWORD, or ~/.pgpass",
    ),
    (
        r"no encryption|ssl off|does not support ssl|server refused tls|certificate|ssl error|tls",
        StateDenied,
        "Server and URL do not agree on TLS: check sslmode and sslrootcert in the URL, and pg_hba.conf on the server",
    ),
    (r"no pg_hba.conf entry|pg_hba.conf rejects", StateDenied, "Let this host and role in: pg_hba.conf on the server"),
    (r'database ".*" does not exist', StateMisplaced, "Check the name of the database, or create it: createdb NAME"),
    (r'role ".*" (does not exist|is not permitted)', StateDenied, "Check the role's name, or create it: createuser NAME"),
    (r"permission denied for database", StateDenied, "Allow it: GRANT CONNECT ON DATABASE NAME TO ROLE"),
    (r"too many (clients|connections)|remaining connection slots", StateBusy, "All places are taken: try again, or raise max_connections or the role's limit"),
    (r"invalid connection option|invalid .* value|multiple values for", StateMisplaced, "Check the parameters behind the ? of the URL: they are libpq's"),
    (r"definition of service|service file", StateMisplaced, "Check the name of the service, and PGSERVICEFILE or ~/.pg_service.conf"),
    (
        r"target_session_attrs|session is read-only|server is in hot standby",
        StateDenied,
        "None of the servers named is the one asked for: check which is the primary",
    ),
    (r"starting up|shutting down|recovery mode|not accepting connections", StateUnreachable, "Try again when the server is up"),
)
