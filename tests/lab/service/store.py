# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Faults of a service's store: a real SQLite file that can be damaged, and small file systems that can be filled."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..host import Host

_PAGE = 4096


def database(path: Path, *, journal: str = "delete", rows: int = 2000) -> Path:
    """A SQLite file of many pages, closed; `path` is one of this machine, or of a host as `Host.path` gives it."""
    # Made elsewhere: SQLite resolves /proc/PID/root itself, and would end up on this machine.
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory, "made")
        _fill_in(sqlite3.connect(made), journal, rows)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made.read_bytes())
    return path


def _fill_in(connection: sqlite3.Connection, journal: str, rows: int) -> None:
    try:
        connection.execute(f"PRAGMA journal_mode = {journal}")
        connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO notes (text) VALUES (?)", [(f"note {number} " + "x" * 50,) for number in range(rows)])
        connection.commit()
    finally:
        connection.close()


def damage(path: Path) -> None:
    """Overwrite some pages in the middle, as a broken disk does."""
    with path.open("r+b") as stream:
        stream.seek(3 * _PAGE)
        stream.write(b"\xff" * 4 * _PAGE)


@contextmanager
def small_disk(host: Host, path: str, *, mib: int = 4, inodes: int = 64) -> Iterator[Path]:
    """A file system of its own at `path` of the host, which is soon full; given back as this machine can open it."""
    host.run(["mkdir", "-p", path])
    host.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,nr_inodes={inodes},mode=1777", "small", path])
    try:
        yield host.path(path)
    finally:
        host.run(["umount", "--lazy", path])
        host.run(["rmdir", path])


def fill(place: Path, *, mib: float) -> None:
    """Take up that much space."""
    (place / "filling").write_bytes(b"x" * int(mib * 2**20))


def use_up_inodes(place: Path) -> None:
    """Make empty files until there is no inode left for another one."""
    number = 0
    while True:
        try:
            (place / f"empty{number}").touch()
        except OSError:
            return
        number += 1
