# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Questions put to a process of their own: one that hangs on a dead file system is left behind, and one that enters a container leaves us outside.

A thread would not do: a process whose thread hangs in the kernel cannot end.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any, Callable, Mapping

from .._domain.errors import RecoveryError
from .background import Background
from .deadline import Deadline

_BOOT = "import importlib, sys; sys.path.insert(0, sys.argv[1]); importlib.import_module(sys.argv[2]).main()"
_LONGEST_COMPLAINT = 300


class HelperFailed(RecoveryError):
    """There is no answer, through no fault of what was asked about."""

    reason = "unmeasured"


def ask(module: str, request: Mapping[str, Any], deadline: Deadline) -> dict[str, Any]:
    """What ``main`` of a module of this collection answers to ``request`` (plain JSON both), in a process of its own.

    Raises ``HelperFailed``; ``TimeoutError`` when there is no answer by the deadline.
    """
    root, name = __file__, __name__
    for _part in name.split("."):
        root = os.path.dirname(root)
    argv = [sys.executable, "-I", "-S", "-B", "-c", _BOOT, root, module]
    try:
        # run_command, which ansible-test asks for, has no deadline.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/", start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise HelperFailed(f"no second process can be started on this host: {error}") from error
    # In a thread, because the wait for a process that cannot die would have no end.
    talk = Background(lambda: process.communicate(json.dumps(request).encode()), "helper")
    try:
        answer, complaint = talk.result(deadline.left)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise
    try:
        data = json.loads(answer)
    except ValueError:
        said = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or [f"it ended with status {process.returncode}"]
        raise HelperFailed(f"the process that looks at files failed: {said[0][:_LONGEST_COMPLAINT]}") from None
    if not isinstance(data, dict):
        raise HelperFailed("the process that looks at files answered something else than an object")
    return data


def answer(function: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """The other side of ``ask``: what a module's ``main`` calls."""
    json.dump(function(json.load(sys.stdin)), sys.stdout)


def forked(function: Callable[[], Mapping[str, Any]], deadline: Deadline) -> dict[str, Any] | None:
    """What ``function`` answers in a forked process; ``None`` when that had to be killed at the deadline. For processes of one thread only.

    Whatever the function does to its process (its root, its user, its locks) ends with it. An exception is answered as ``{"error": …}``.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _speak(function, writing)
    os.close(writing)
    with suppress(ChildProcessError), os.fdopen(reading, "rb") as stream:
        data = _read(stream.fileno(), deadline)
        if data is None:
            os.kill(child, signal.SIGKILL)
            return None
        os.waitpid(child, 0)
        try:
            return dict(json.loads(data))
        except ValueError:
            return {"error": "the process ended without an answer"}
    return {"error": "the process was lost"}


def _speak(function: Callable[[], Mapping[str, Any]], writing: int) -> None:
    """Run in the child: answer, and end without a word more."""
    os.dup2(writing, 1)  # whoever reads this process's own output must not wait for this one
    os.dup2(writing, 2)
    try:
        data: Mapping[str, Any] = function()
    except BaseException as error:  # noqa: BLE001 - the other process must hear of it, whatever it was
        data = {"error": f"{type(error).__name__}: {error}"}
    try:
        with os.fdopen(writing, "wb") as stream:
            stream.write(json.dumps(data).encode())
    finally:
        os._exit(0)


def _read(handle: int, deadline: Deadline) -> bytes | None:
    data = b""
    while True:
        ready, _writable, _broken = select.select([handle], [], [], deadline.left)
        if not ready:
            return None
        piece = os.read(handle, 65536)
        if not piece:
            return data
        data += piece
