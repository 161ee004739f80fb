# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One deadline for a whole exchange, however many reads it takes: a peer that dribbles bytes runs out of time too."""

from __future__ import annotations

import io
import socket
import time
from typing import Any, Callable

TIMEOUTS = (socket.timeout, TimeoutError)


class Deadline:
    """A moment on the monotonic clock."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.seconds = seconds
        self._end = monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until it; never negative."""
        return max(0.0, self._end - self._monotonic())

    def require(self) -> float:
        """What is left, or ``TimeoutError`` when nothing is."""
        left = self.left
        if left <= 0:
            raise TimeoutError(f"not done within {self.seconds:g} s")
        return left

    def bring_forward(self, seconds: float) -> None:
        """Let it be in ``seconds``, unless it is earlier already."""
        self._end = min(self._end, self._monotonic() + seconds)

    def within(self, seconds: float) -> Deadline:
        """The earlier of this deadline and one in ``seconds``."""
        return Deadline(min(seconds, self.left), self._monotonic)


class _Reader(io.RawIOBase):
    """The reading side of a socket; every read may take what is left of the deadline, and no more."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline
        self._raw = sock.makefile("rb", buffering=0)  # keeps the descriptor open after the socket object is closed, as http.client expects

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.require())
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class DeadlineSocket:
    """What ``http.client`` needs of a socket, under one deadline; put it in ``HTTPConnection.sock``."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        """Send everything before the deadline."""
        self._sock.settimeout(self._deadline.require())
        self._sock.sendall(data)

    def makefile(self, *_mode: Any, **_options: Any) -> io.BufferedReader:
        """A buffered reader of the socket."""
        return io.BufferedReader(_Reader(self._sock, self._deadline))

    def close(self) -> None:
        """Close it; readers made before stay usable, as with a real socket."""
        self._sock.close()
