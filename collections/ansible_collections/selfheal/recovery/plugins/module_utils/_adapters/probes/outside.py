# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running a program of the host, as ``inside`` runs one of the container. It ends by the deadline, with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import IO, Sequence, cast

from ..deadline import Deadline
from ..engine.exec import Ran
from ..engine.logs import Logs, Tail
from .kind import Unmeasured

_LAST_WORDS_S = 0.2


class _Output:
    """The end of what a process writes, read off its hands all the time, so that it never waits for us."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        self._stream = stream
        self._tail = Tail(limit)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            for piece in iter(lambda: os.read(self._stream.fileno(), 65536), b""):
                self._tail.add(piece)

    def value(self) -> bytes:
        """What came so far; a child left behind may still hold the other end, and is not waited for."""
        self._thread.join(_LAST_WORDS_S)
        return self._tail.value()


def run(argv: Sequence[str], deadline: Deadline, limit: int) -> Ran:
    """How ``argv`` ended, and of each of its streams the last ``limit / 2`` bytes; ``Unmeasured`` when it cannot be run."""
    try:
        # run_command, which ansible-test asks for, has no deadline.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", start_new_session=True
        )
    except OSError as error:
        raise Unmeasured(f"{argv[0]} cannot be run on this host: {(error.strerror or str(error)).lower()}") from error
    out, err = (_Output(cast("IO[bytes]", stream), limit // 2) for stream in (process.stdout, process.stderr))
    status = _wait(process, deadline)
    return Ran(status, Logs(b"", b"") if status is None else Logs(out.value(), err.value()))


def _wait(process: subprocess.Popen[bytes], deadline: Deadline) -> int | None:
    """Its exit status; ``None`` when it had to be killed, with everything it started."""
    try:
        return process.wait(deadline.left)
    except subprocess.TimeoutExpired:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        threading.Thread(target=process.wait, daemon=True).start()  # one that cannot die (a hung disk) is not waited for
        return None
