# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the embedded state may lie, and how its file comes into being.

Nothing here opens a database that may be in use: closing it again behind SQLite's back would drop this process's locks on it
(https://sqlite.org/howtocorrupt.html, 2.2).
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from contextlib import contextmanager, suppress
from typing import Callable, Iterator

from .store_errors import StateBusy, StateCorrupt, StateLost, StateMisplaced

MOUNTS = "/proc/self/mounts"
COMPANIONS = ("-wal", "-shm", "-journal")

# SQLite's locks and shared memory do not hold between machines (https://sqlite.org/wal.html).
_NETWORK = frozenset(("9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs"))
_SHARED_FOLDERS = frozenset(("vboxsf", "vmhgfs", "fuse.vmhgfs-fuse"))
_NETWORK_BY_FUSE = frozenset(f"fuse.{name}" for name in ("ceph-fuse", "davfs", "gcsfuse", "glusterfs", "juicefs", "rclone", "s3fs", "sshfs"))
_REFUSED = _NETWORK | _SHARED_FOLDERS | _NETWORK_BY_FUSE
_OTHERS_MAY_WRITE = stat.S_IWOTH
_RETRY = 0.01


def check(path: str) -> bool:
    """Whether the database ``path`` is there; raises a ``StateError`` when it may not be there or is plainly not one.

    Raises ``OSError`` for what only the operating system can explain. A companion file (``-wal``) without its database means that a state
    was deleted: that is refused, because a fresh one in its place would forget every open breaker.
    """
    directory = os.path.dirname(path)
    kind = network_filesystem(directory, _mounts())
    if kind:
        raise StateMisplaced(
            f"expected the state on a disk of this machine, found {path} on a network file system ({kind})",
            "Choose a local path; for several control nodes choose a store that is made for it",
        )
    _check_directory(directory)
    # In this order: a database that is created meanwhile exists before its companions do.
    left_over = [path + suffix for suffix in COMPANIONS if os.path.lexists(path + suffix)]
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if left_over:
            raise StateLost(
                f"expected the state database {path} beside {', '.join(left_over)}, found it gone",
                "Nothing was changed. Restore it from a backup; to start afresh on purpose, move the left-over files away",
            ) from None
        return False
    _check_file(path, found)
    return True


def check_length(path: str, pages: int, size: int) -> None:
    """Refuse a database that lacks part of its last page, which SQLite would read as zeros; the caller holds a read transaction.

    While there is a log, the file itself may rightly be shorter: pages that are in the log need not have been copied yet.
    """
    expected = pages * size
    log = path + "-wal"
    if os.path.exists(log) and os.path.getsize(log):
        return
    found = os.path.getsize(path)
    if found < expected:
        raise StateCorrupt(
            f"expected a state database of {expected} bytes in {path}, found it damaged: cut off after {found}",
            "Nothing was changed. Restore the state from a backup",
        )


def network_filesystem(directory: str, mounts: str) -> str:
    """The type of the network file system that holds ``directory``, by the text of ``/proc/self/mounts``; empty when it is none."""
    longest, kind = "", ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _unescaped(fields[1])
        inside = directory == point or directory.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(longest):  # a later line covers an earlier one
            longest, kind = point, fields[2]
    return kind if kind in _REFUSED else ""


def create(path: str, build: Callable[[str], None], until: float) -> None:
    """Make the database ``path`` appear complete or not at all, once, whoever else is trying; ``build`` fills an empty file it is given.

    The directory is made when it is missing (0700), the file is 0600. Killed at any moment, this leaves at most a file ``.NAME.new``, which
    the next one to try replaces.
    """
    directory, name = os.path.split(path)
    _make_directory(directory)
    unfinished = os.path.join(directory, f".{name}.new")
    with _only_one(directory, path, until):
        if check(path):
            return
        for suffix in ("", *COMPANIONS):
            _remove(unfinished + suffix)
        try:
            os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            build(unfinished)
            os.rename(unfinished, path)
            _flush(directory)
        finally:
            _remove(unfinished)


def _mounts() -> str:
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError:  # not Linux
        return ""


def _unescaped(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def _check_directory(directory: str) -> None:
    try:
        mode = os.stat(directory).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(mode):
        raise StateMisplaced(f"expected a directory for the state, found that {directory} is none", "Name another path")
    if mode & _OTHERS_MAY_WRITE:
        raise StateMisplaced(
            f"expected a directory for the state that only its owner can write, found that anyone can write {directory}",
            f"Choose a directory of its own, or close this one: chmod o-w {directory}",
        )


def _check_file(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = "a directory" if stat.S_ISDIR(found.st_mode) else "something that is no file"
        raise StateMisplaced(f"expected a database file at {path}, found {what}", "Name a file, for example state.db in that directory")
    if found.st_mode & _OTHERS_MAY_WRITE:
        raise StateMisplaced(f"expected a state that only its owner can write, found that anyone can write {path}", f"chmod o-w {path}")
    if found.st_size == 0:
        raise StateCorrupt(
            f"expected a state database in {path}, found an empty file: it was cut off, since a new state is never empty",
            "Nothing was changed. Restore it from a backup; to start afresh on purpose, move the file away",
        )


def _make_directory(directory: str) -> None:
    if os.path.isdir(directory):
        return
    _make_directory(os.path.dirname(directory))
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        _check_directory(directory)


@contextmanager
def _only_one(directory: str, path: str, until: float) -> Iterator[None]:
    """Hold the directory's own lock; the kernel gives it back when the holder dies."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        while not _locked(handle):
            if time.monotonic() >= until:
                raise StateBusy(
                    f"expected to create the state {path} within the deadline, found its directory locked by another process",
                    f"Nothing was written. Try again; 'fuser {directory}' shows who holds it",
                )
            time.sleep(_RETRY)
        yield
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _flush(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
