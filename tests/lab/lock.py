# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One `up` or `down` of a lab at a time, and never one beside a straggler of a killed one.

The lock's descriptor is the standard input of every command that `up` and `down` start: as long as one of them is alive, even when
`up` itself was killed, the lock is held. Whatever is meant to stay lets go of it only once it is inside a namespace of the lab, where
`down` finds it. So whoever gets the lock sees everything that there is.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from . import wait


class Lock:
    """An exclusive lock on a file, usable as a context manager; `fd` is to be handed to child processes."""

    def __init__(self, path: Path, *, shared: bool = False, seconds: float = 120) -> None:
        self._path = path
        self._mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        self._seconds = seconds
        self.fd = -1

    def __enter__(self) -> Lock:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        wait.until(f"the lock {self._path} (another run holds it)", self._try, seconds=self._seconds)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self.fd)
        self.fd = -1

    def remove(self) -> None:
        """Take the file away while it is held; who waits for it notices and makes a new one."""
        self._path.unlink(missing_ok=True)

    def _try(self) -> bool:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, self._mode | fcntl.LOCK_NB)
            held = os.fstat(fd).st_ino == self._path.stat().st_ino
        except OSError:
            os.close(fd)
            return False
        if held:
            self.fd = fd
        else:
            os.close(fd)
        return held
