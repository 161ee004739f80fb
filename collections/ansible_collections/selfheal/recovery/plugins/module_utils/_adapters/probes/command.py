# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does a command succeed, on the host or in the container? An argument list; no shell ever sees it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import IO, cast

from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY
from ..deadline import Deadline
from .inside import IN_CONTAINER, NOT_RUNNING, run
from .kind import Context, Kind, Option, Result, Unmeasured

_OUTPUT_LIMIT = 4096
_LONGEST_MESSAGE = 300
_LAST_WORDS_S = 0.2


class _Output:
    """The end of what a process writes, read off its hands all the time, so that it never waits for us."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._data = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._stream:
            for piece in iter(lambda: os.read(self._stream.fileno(), 65536), b""):
                self._data = (self._data + piece)[-_OUTPUT_LIMIT:]

    def text(self) -> str:
        """What came so far; a child left behind may still hold the other end, and is not waited for."""
        self._thread.join(_LAST_WORDS_S)
        return self._data.decode("utf-8", "replace")


def measure(context: Context) -> Result:
    """Run it; exit status 0 is healthy."""
    argv = context.options["argv"]
    return _in_container(context, argv) if context.options["in_container"] else _on_host(context, argv)


def _in_container(context: Context, argv: list[str]) -> Result:
    try:
        ran = run(context, argv, limit=2 * _OUTPUT_LIMIT)
    except NOT_RUNNING as error:
        return Result(FAILED, error.message)
    if ran.status is None:
        return _overdue(context, argv[0], ran.left)
    return _judge(context, argv[0], ran.status, (ran.output.stdout + ran.output.stderr).decode("utf-8", "replace"))


def _on_host(context: Context, argv: list[str]) -> Result:
    tool = argv[0]
    try:
        # run_command, which ansible-test asks for, has no deadline.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd="/", start_new_session=True, close_fds=True
        )
    except OSError as error:
        raise Unmeasured(f"{tool} cannot be run on this host: {(error.strerror or str(error)).lower()}") from error
    output = _Output(cast("IO[bytes]", process.stdout))
    status = _wait(process, context.deadline)
    return _overdue(context, tool) if status is None else _judge(context, tool, status, output.text())


def _overdue(context: Context, tool: str, left: str = "") -> Result:
    """The answer about a program that did not end; ``left`` says what became of it."""
    became = f": {left}" if left else ""
    if context.cut_short:
        raise Unmeasured(f"{tool}: the measurement's deadline came before it ended{became}")
    return Result(FAILED, f"{tool} did not end within {context.deadline.seconds:.1f} s{became}")


def _judge(context: Context, tool: str, status: int, output: str) -> Result:
    said = context.mask(" ".join(output.split()))[-_LONGEST_MESSAGE:]
    outcome = f"was ended by signal {abs(status)}" if status < 0 else f"ended with status {status}"
    return Result(FAILED if status else HEALTHY, f"{tool} {outcome}" + (f": {said}" if said and status else ""), {"exit_status": status})


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


def _check_argv(argv: list[str]) -> None:
    if not argv or not argv[0] or any("\0" in word for word in argv):
        raise BadInput("expected argv of a command probe to be a list: the program, then its arguments")


KIND = Kind(name="command", measure=measure, options={"argv": Option("list", required=True, elements="str", check=_check_argv), **IN_CONTAINER})
