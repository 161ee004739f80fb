# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Failures of the operating system and of SQLite, told in the state's own words."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from .store import StateError
from .store_errors import StateBusy, StateCorrupt, StateDenied, StateForeign, StateFull

if TYPE_CHECKING:
    import sqlite3

# SQLite's own texts (sqlite3ErrStr in its main.c): Python names the codes only from 3.11 on.
_BUSY = ("is locked", "locking protocol", "schema has changed")
_DENIED = ("readonly database", "unable to open database file", "access permission denied", "authorization denied")
_CORRUPT = ("malformed", "no such table", "no such column", "could not decode", "no column named")


def from_os(error: OSError, path: str) -> StateError:
    """``error``, met while touching ``path`` or its directory, as a typed ``StateError``."""
    why = error.strerror or type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StateDenied(f"expected to be allowed to use the state {path}, found: {why} ({error.filename or path})", _ask_owner(path))
    return StateError(f"expected to use the state {path}, found: {why} ({error.filename or path})", "Nothing was changed. Check the path and its disk")


def from_sqlite(error: sqlite3.Error, path: str) -> StateError:
    """``error``, raised by SQLite for the database ``path``, as a typed ``StateError``."""
    text = str(error).lower()
    if any(words in text for words in _BUSY):
        return StateBusy(
            f"expected the state {path} to become free within the deadline, found it locked by another process",
            f"Nothing was written. Try again; 'fuser {path}' shows who holds it",
        )
    if "is full" in text or ("disk i/o error" in text and _no_room(path)):
        return _full(path)
    if any(words in text for words in _DENIED):
        return StateDenied(f"expected to be allowed to use the state {path}, found: {error}", _ask_owner(path))
    if "not a database" in text:
        return StateForeign(
            f"expected the state database of selfheal.recovery in {path}, found a file that is no SQLite database",
            "Nothing was changed. Name another path, or restore the state from a backup",
        )
    if any(words in text for words in _CORRUPT):
        found = "text that is not UTF-8" if "could not decode" in text else str(error)
        return StateCorrupt(
            f"expected a sound state database in {path}, found it damaged: {found}",
            "Nothing was changed. Keep a copy of the file and its -wal, and restore the state from a backup",
        )
    return StateError(f"expected to use the state {path}, found: {error}", "Nothing was changed. Check the disk and its kernel messages")


def _full(path: str) -> StateFull:
    return StateFull(f"expected room to keep the state {path}, found its disk full", f"Nothing was written. Free some space on {_directory(path)}")


def _ask_owner(path: str) -> str:
    directory = _directory(path)
    return f"Nothing was written. Run this as the user who owns {directory} (it must be able to write both the file and its directory), or name another state"


def _directory(path: str) -> str:
    return os.path.dirname(path) or "."


def _no_room(path: str) -> bool:
    try:
        return os.statvfs(_directory(path)).f_bavail == 0
    except OSError:
        return False
