# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The embedded store's tables, and how they change from release to release.

``STEPS[n]`` takes schema ``n`` to ``n + 1``; a released step is never edited, a new one is added. All that are missing run in one
transaction. The tables use nothing newer than SQLite 3.8, so that the oldest system Python that runs a control node can read them.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, AbstractSet, Mapping

from .._domain.errors import BadInput
from .._domain.times import from_text
from .portable import STORE_ID
from .retired import from_text as from_note
from .sql_store import Found
from .store_errors import StateCorrupt, StateForeign, StateNewer

if TYPE_CHECKING:
    import sqlite3

APPLICATION_ID = 0x53484C52  # "SHLR", in the file's header: tells our databases from everybody else's
TABLES = frozenset({"meta", "documents", "events"})
STEPS: tuple[tuple[str, ...], ...] = (
    (
        # schema_version, store_id, created_at, written_at (the store's time at its last write), retired (a note on where the state went)
        "CREATE TABLE meta (name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE documents (scope TEXT PRIMARY KEY NOT NULL, body TEXT NOT NULL, updated_at TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE events (number INTEGER PRIMARY KEY AUTOINCREMENT, scope TEXT NOT NULL, recorded_at TEXT NOT NULL, body TEXT NOT NULL)",
        "CREATE INDEX events_by_scope ON events (scope)",
    ),
)


def fill(connection: sqlite3.Connection, store_id: str, now: str) -> None:
    """Make the tables and first rows of a new store; the caller holds the transaction."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    for step in STEPS:
        _run(connection, step)
    rows = (("schema_version", str(len(STEPS))), ("store_id", store_id), ("created_at", now), ("written_at", now))
    connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", rows)


def verify(connection: sqlite3.Connection, path: str) -> Found:
    """What the database in ``path`` is, found by reading only; ``StateForeign``, ``StateCorrupt`` or ``StateNewer`` when it is not for us."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        raise StateForeign(
            f"expected the state database of selfheal.recovery in {path}, found a database of something else",
            "Nothing was changed. Name another path",
        )
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if "meta" not in tables:
        raise _missing(path, {"meta"})
    rows: dict[object, object] = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    version = _version(rows, path)
    found = Found(version, _store_id(rows, path), _written(rows, path), from_note(rows.get("retired"), path), version < len(STEPS))
    if found.version > len(STEPS):
        raise StateNewer(
            f"expected a state of schema {len(STEPS)} or older in {path}, found schema {found.version}",
            "Nothing was changed. Update selfheal.recovery here to the release that wrote it",
        )
    if not found.is_older and TABLES - tables:
        raise _missing(path, TABLES - tables)
    return found


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring an older schema up to this release's; the caller holds the write transaction, and another one may have been faster."""
    found = verify(connection, path)
    for step in STEPS[found.version :]:
        _run(connection, step)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'schema_version'", (str(len(STEPS)),))


def _run(connection: sqlite3.Connection, step: tuple[str, ...]) -> None:
    for statement in step:
        connection.execute(statement)


def _text(rows: Mapping[object, object], path: str, name: str) -> str:
    value = rows.get(name)
    if not isinstance(value, str):
        raise _damaged(path, name, "none" if value is None else f"a {type(value).__name__}")
    return value


def _version(rows: Mapping[object, object], path: str) -> int:
    text = _text(rows, path, "schema_version")
    if not text.isdecimal() or int(text) < 1:
        raise _damaged(path, "schema_version", repr(text[:40]))
    return int(text)


def _store_id(rows: Mapping[object, object], path: str) -> str:
    text = _text(rows, path, "store_id")
    if not STORE_ID.fullmatch(text):
        raise _damaged(path, "store_id", repr(text[:40]))
    return text


def _written(rows: Mapping[object, object], path: str) -> datetime:
    text = _text(rows, path, "written_at")
    try:
        return from_text(text)
    except BadInput:
        raise _damaged(path, "written_at", repr(text[:40])) from None


def _missing(path: str, tables: AbstractSet[str]) -> StateCorrupt:
    return StateCorrupt(
        f"expected the tables {', '.join(sorted(TABLES))} in {path}, found no {', '.join(sorted(tables))}",
        "Nothing was changed. Restore the state from a backup",
    )


def _damaged(path: str, name: str, found: str) -> StateCorrupt:
    return StateCorrupt(f"expected a valid {name} in the state {path}, found {found}", "Nothing was changed. Restore the state from a backup")
