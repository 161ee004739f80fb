# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine's log stream: both of a container's streams in one, taken apart again and kept within bounds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

_STDERR = 2
_PIECE = 64 * 1024
_STAMP = re.compile(rb"\A\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d) ")


class Readable(Protocol):
    """What a log stream is read from."""

    def read(self, amount: int) -> bytes:
        """Up to ``amount`` bytes; empty at the end."""


@dataclass(frozen=True)
class Logs:
    """The end of a container's log. ``truncated`` when its beginning was dropped for size, ``error`` when its end could not be read."""

    stdout: bytes
    stderr: bytes
    truncated: bool = False
    error: str = ""

    def lines(self) -> list[str]:
        """The lines of standard output, then those of standard error, without the engine's time stamps."""
        both = [line for stream in (self.stdout, self.stderr) for line in stream.splitlines()]
        return [_STAMP.sub(b"", line).decode("utf-8", "replace") for line in both]


class Tail:
    """The last ``limit`` bytes of what is added, begun at the start of a line where something was dropped."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._data = bytearray()
        self.truncated = False

    def add(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * self._limit:
            self._cut()

    def _cut(self) -> None:
        if len(self._data) > self._limit:
            del self._data[: -self._limit or None]
            self.truncated = True

    def value(self) -> bytes:
        self._cut()
        # The rest of a line whose beginning is gone could be the rest of a secret, which nobody would recognise any more.
        return bytes(self._data.partition(b"\n")[2] if self.truncated else self._data)


class LogReader:
    """Reads a stream in the engine's framing (``docs.docker.com/reference/api/engine``, "attach"): 1 byte stream, 3 of nothing, 4 of size, data.

    A container with a terminal has no frames: everything is its standard output. ``stamped``: the engine was asked for time stamps.
    """

    def __init__(self, limit: int, stamped: bool = True) -> None:
        self._stamped = stamped
        self._tails = {False: Tail(limit // 2), True: Tail(limit // 2)}
        self._unfinished = {False: False, True: False}

    def read(self, stream: Readable, framed: bool) -> None:
        """Everything of ``stream``; what was read before an exception stays."""
        while self._frame(stream) if framed else self._piece(stream):
            pass

    def logs(self, error: str = "") -> Logs:
        """What was read so far."""
        out, err = self._tails[False], self._tails[True]
        return Logs(out.value(), err.value(), out.truncated or err.truncated, error)

    def _piece(self, stream: Readable) -> bool:
        data = stream.read(_PIECE)
        self._tails[False].add(data)
        return bool(data)

    def _frame(self, stream: Readable) -> bool:
        header = stream.read(8)
        if len(header) < 8:
            return False
        error = header[0] == _STDERR
        left = int.from_bytes(header[4:], "big")
        first, data = True, b""
        while left:
            data = stream.read(min(left, _PIECE))
            if not data:
                return False
            left -= len(data)
            # The engine stamps every 16 KB of a long line; a stamp inside a line would split words, secrets among them.
            self._tails[error].add(_STAMP.sub(b"", data) if self._stamped and first and self._unfinished[error] else data)
            first = False
        if data:
            self._unfinished[error] = not data.endswith(b"\n")
        return True
