# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The PostgreSQL store's tables, in a schema of their own, and how they change from release to release.

``STEPS[n]`` takes schema ``n`` to ``n + 1``, as in ``sqlite_schema``. The comment on the PostgreSQL schema says whose it is, so that tables
which are gone are told from a database that never had any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .portable import STORE_ID
from .retired import from_text as from_note
from .sql_store import Found
from .store import StateError
from .store_errors import StateCorrupt, StateDenied, StateForeign, StateLost, StateMisplaced, StateNewer

if TYPE_CHECKING:
    from sqlalchemy import Connection

APPLICATION = "selfheal.recovery"
TABLES = ("documents", "events", "meta")
STEPS: tuple[tuple[str, ...], ...] = (
    (
        # One row. written_at is the store's time at its last write; retired is a note on where the state went.
        (
            "CREATE TABLE selfheal.meta (singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton), application text NOT NULL,"
            " schema_version integer NOT NULL, store_id text NOT NULL, created_at timestamptz(3) NOT NULL, written_at timestamptz(3) NOT NULL,"
            " retired text)"
        ),
        # The order of code points, whatever the database's language.
        'CREATE TABLE selfheal.documents (scope text COLLATE "C" PRIMARY KEY, body text NOT NULL, updated_at timestamptz(3) NOT NULL)',
        (
            'CREATE TABLE selfheal.events (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, scope text COLLATE "C" NOT NULL,'
            " recorded_at timestamptz(3) NOT NULL, body text NOT NULL)"
        ),
        "CREATE INDEX events_by_scope ON selfheal.events (scope)",
    ),
)

_COMMENT = "guard state of selfheal.recovery"
_CREATING = 0x53484C52  # key of the advisory lock: one creator at a time
_META = "SELECT application, schema_version, store_id, written_at, retired FROM selfheal.meta"
_SEEN = """
SELECT namespace.oid IS NOT NULL, obj_description(namespace.oid, 'pg_namespace'),
    ARRAY(SELECT relname::text FROM pg_class WHERE relnamespace = namespace.oid AND relkind IN ('r', 'p', 'v', 'm', 'f') ORDER BY 1),
    current_setting('server_encoding'), pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean
FROM (SELECT 1) AS one LEFT JOIN pg_namespace AS namespace ON nspname = 'selfheal'
"""


def verify(connection: Connection, shown: str, lock: bool) -> Found:
    """What the state says about itself; with ``lock`` nobody else writes from here on, whichever scope. Raises a ``StateError`` unless it is for us."""
    from sqlalchemy import text

    if lock:
        connection.execute(text("LOCK TABLE selfheal.meta IN EXCLUSIVE MODE"))
    rows = connection.execute(text(_META)).fetchall()
    if len(rows) != 1:
        raise _damaged(shown, f"{len(rows)} rows in selfheal.meta")
    application, version, store_id, written, retired = rows[0]
    if application != APPLICATION:
        raise _foreign(shown)
    if version < 1 or not STORE_ID.fullmatch(store_id):
        raise _damaged(shown, "a selfheal.meta with other values than we write")
    if version > len(STEPS):
        raise StateNewer(
            f"expected a state of schema {len(STEPS)} or older in {shown}, found schema {version}",
            "Nothing was changed. Update selfheal.recovery here to the release that wrote it",
        )
    return Found(version, store_id, written, from_note(retired, shown), version < len(STEPS))


def is_there(connection: Connection, shown: str) -> bool:
    """Whether a state has been made. Raises a ``StateError`` when what is there is none of ours, or is damaged."""
    from sqlalchemy import text

    _prepared, comment, tables, _encoding, _read_only = connection.execute(text(_SEEN)).one()
    wrong = _judged(shown, comment, tables)
    if wrong is not None:
        raise wrong
    return "meta" in tables


def create(connection: Connection, shown: str, store_id: str) -> bool:
    """Make a new state where there is none; whether it was made. Raises a ``StateError`` when what is there is none of ours, or is damaged."""
    from sqlalchemy import text

    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATING})
    prepared, comment, tables, encoding, read_only = connection.execute(text(_SEEN)).one()
    wrong = _judged(shown, comment, tables)
    if wrong is not None:
        raise wrong
    if "meta" in tables:  # another one was faster
        return False
    if encoding != "UTF8":
        raise StateMisplaced(
            f"expected a database with the encoding UTF8, found {encoding} in {shown}", "Create one: createdb --encoding UTF8 --template template0 NAME"
        )
    if read_only:
        raise StateDenied(
            f"expected a state in {shown}, found none, on a server that only reads", "Name the primary: selfheal state init --state URL makes one there"
        )
    if not prepared:
        connection.execute(text("CREATE SCHEMA selfheal"))
    connection.execute(text(f"COMMENT ON SCHEMA selfheal IS '{_COMMENT}'"))
    for step in STEPS:
        _run(connection, step)
    row: dict[str, Any] = {"application": APPLICATION, "version": len(STEPS), "store_id": store_id}
    statement = (
        "INSERT INTO selfheal.meta (application, schema_version, store_id, created_at, written_at)"
        " SELECT :application, :version, :store_id, now, now FROM date_trunc('milliseconds', clock_timestamp()) AS now"
    )
    connection.execute(text(statement), row)
    return True


def migrate(connection: Connection, shown: str) -> None:
    """Bring an older schema up to this release's; another process may have been faster."""
    from sqlalchemy import text

    found = verify(connection, shown, lock=True)
    for step in STEPS[found.version :]:
        _run(connection, step)
    connection.execute(text("UPDATE selfheal.meta SET schema_version = :version"), {"version": len(STEPS)})


def _run(connection: Connection, step: tuple[str, ...]) -> None:
    from sqlalchemy import text

    for statement in step:
        connection.execute(text(statement))


def _judged(shown: str, comment: str | None, tables: list[str]) -> StateError | None:
    """What is wrong with a schema ``selfheal`` that has this comment and these tables; ``None`` when a state is there, or can be made."""
    ours = comment == _COMMENT
    missing = [name for name in TABLES if name not in tables]
    if not missing or (not tables and not ours):
        return None
    if not ours:
        return _foreign(shown)
    if "meta" in missing:
        return StateLost(
            f"expected the tables {', '.join(TABLES)} in {shown}, found only the empty place of a state that was there",
            "Nothing was changed. Restore it from a backup; to start afresh on purpose: DROP SCHEMA selfheal CASCADE",
        )
    return _damaged(shown, f"no table {', '.join(missing)}")


def _foreign(shown: str) -> StateForeign:
    return StateForeign(
        f"expected the state of selfheal.recovery in the schema selfheal of {shown}, found a schema of something else",
        "Nothing was changed. Name another database",
    )


def _damaged(shown: str, found: str) -> StateCorrupt:
    return StateCorrupt(f"expected a sound state in {shown}, found {found}", "Nothing was changed. Restore the state from a backup")
