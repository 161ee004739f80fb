# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files that only their owner may see, written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from .._domain.errors import RecoveryError


class NotPrivate(RecoveryError):
    """A directory that others could have changed: what lies in it cannot be trusted."""

    reason = "guard_unreadable"


def private_directory(path: Path) -> Path:
    """``path``, made with mode 0700 when it is missing (its parents with 0755); raises ``NotPrivate``."""
    try:
        with suppress(FileExistsError):
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
        check_private(path)
    except OSError as error:
        advice = "Run this as root (become: true), or name a directory that you may write to with guard_dir"
        raise NotPrivate(f"the directory {path} cannot be made: {error.strerror or error}", advice) from error
    return path


def check_private(path: Path) -> None:
    """Raises ``NotPrivate`` unless ``path`` is a directory of ours that nobody else may enter, ``FileNotFoundError`` when it is not there."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotPrivate(f"the directory {path} cannot be looked at: {error.strerror or error}", "Run this as its owner (become: true)") from error
    if not stat.S_ISDIR(status.st_mode):
        raise NotPrivate(f"expected a directory at {path}, found something else", f"Look at what it is, and remove it: ls -ld {path}")
    if status.st_uid != os.geteuid():
        raise NotPrivate(
            f"the directory {path} belongs to the user with id {status.st_uid}, not to the one this runs as ({os.geteuid()})",
            f"Run this as its owner, or, when nobody else had business there: chown -R {os.geteuid()} {path}",
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise NotPrivate(
            f"the directory {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
            f"Look whether what lies in it is in order, then close it: chmod 700 {path}",
        )


def write_whole(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``, readable by its owner only: after a crash it has the old content or the new one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make changes of names in a directory last through a crash."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
