# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is a service's SQLite file in order? Asked without changing anything beside it, and without holding the service up for long.

What SQLite would write by itself is prevented, not avoided: run as root, the check sees the directory read-only (``isolation.confine``), so that
neither a ``-wal`` nor a ``-shm`` file can appear and no half-done transaction is rolled back. With a rollback journal the check holds off the
service's writers while it runs, which is why it has so little time; with a write-ahead log it does not.
"""

from __future__ import annotations

import errno
import os
from dataclasses import asdict, dataclass
from typing import Any, Mapping
from urllib.parse import quote

from .deadline import Deadline
from .helper import forked
from .isolation import confine

OK, CORRUPT, SLOW, UNMEASURED = "ok", "corrupt", "slow", "unmeasured"
MAGIC = b"SQLite format 3\0"
_WAL_FORMAT = 2
_LOCKED_S = 0.3
_LONGEST = 300
_STEPS = 1000


@dataclass(frozen=True)
class Seen:
    """A file as it lay there: when one of these differs, it is another one, or was written to."""

    dev: int
    ino: int
    size: int
    mtime_ns: int
    wal: tuple[int, int] | None

    @classmethod
    def of(cls, path: str) -> Seen:
        """The file at ``path``, and the log beside it; raises ``OSError``."""
        found = os.stat(path)
        try:
            log = os.stat(f"{path}-wal")
        except FileNotFoundError:
            wal = None
        else:
            wal = (log.st_size, log.st_mtime_ns)
        return cls(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, wal)

    def to_json(self) -> dict[str, Any]:
        """A plain mapping, lists instead of tuples."""
        data = asdict(self)
        return {**data, "wal": list(self.wal) if self.wal else None}


def due(remembered: Mapping[str, Any], seen: Seen, now: float, every: float) -> bool:
    """Whether a file has to be looked into again: its answer is old, or it is another file, or what was wrong may have been mended."""
    before = remembered.get("seen") or {}
    age = now - float(remembered.get("at") or 0)
    if not 0 <= age < every:
        return True
    if (before.get("dev"), before.get("ino")) != (seen.dev, seen.ino):
        return True
    return remembered.get("outcome") == CORRUPT and before != seen.to_json()


def usable() -> bool:
    """Whether this Python can look into such files at all; loads what it needs for that."""
    try:
        import sqlite3  # noqa: F401
    except ImportError:
        return False
    return True


def check(path: str, deadline: Deadline) -> tuple[str, str]:
    """``ok``, ``corrupt``, ``slow`` (not done by the deadline) or ``unmeasured``, and why. Raises ``OSError`` when it is gone."""
    before = Seen.of(path)
    directory, name = os.path.split(os.path.abspath(path))
    told = forked(lambda: _checked(directory, name, deadline), deadline)
    if told is None or (told.get("outcome") == UNMEASURED and deadline.left <= 0):
        return SLOW, f"the check was not done within {deadline.seconds:.1f} s"
    if "error" in told:
        return UNMEASURED, str(told["error"])[:_LONGEST]
    outcome, why = str(told["outcome"]), str(told["why"])
    if outcome == CORRUPT and told["unlocked"] and Seen.of(path) != before:
        return UNMEASURED, "it was written to during the check"
    return outcome, why[:_LONGEST]


def _checked(directory: str, name: str, deadline: Deadline) -> dict[str, Any]:
    """Run in a process of its own."""
    import sqlite3

    path, confined = os.path.join(directory, name), False
    if os.geteuid() == 0:
        try:
            confine(directory, name)
            path, confined = f"/{name}", True
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOSYS):
                raise
    with open(path, "rb") as stream:
        head = stream.read(100)
    # Without a log nobody has the file open in that mode, and nobody has to be asked for a lock, which would take files of its own.
    wal = len(head) > 18 and head[18] == _WAL_FORMAT
    unlocked = wal and not os.path.exists(f"{path}-wal")
    if wal and not unlocked and not confined and os.geteuid() == 0:
        why = "it has a write-ahead log, and root without CAP_SYS_ADMIN could leave files of its own beside it"
        return {"outcome": UNMEASURED, "why": why, "unlocked": False}
    options = "mode=ro&immutable=1" if unlocked else "mode=ro&readonly_shm=1"
    try:
        outcome, why = _quick_check(sqlite3.connect(f"file:{quote(path)}?{options}", uri=True, timeout=_LOCKED_S), deadline)
    except sqlite3.OperationalError as error:  # locked, half done, too slow, something only the service's own program knows
        return {"outcome": UNMEASURED, "why": str(error), "unlocked": unlocked}
    except sqlite3.DatabaseError as error:
        return {"outcome": CORRUPT, "why": str(error), "unlocked": unlocked}
    return {"outcome": outcome, "why": why, "unlocked": unlocked}


def _quick_check(connection: Any, deadline: Deadline) -> tuple[str, str]:
    connection.set_progress_handler(lambda: int(deadline.left <= 0), _STEPS)
    try:
        for pragma in ("trusted_schema = OFF", "mmap_size = 0", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        found = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    finally:
        connection.close()
    return (OK, "") if found == ["ok"] else (CORRUPT, " ".join("; ".join(found).split()))
