# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A program run inside a container, under one deadline.

The engine can start such a program and tell how it ended; it has no call that ends one. One that outlives its deadline is killed from the
host where that is possible (as root, and only when it is surely that process), and named where it is not.
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from typing import Any, Sequence

from ..deadline import Deadline
from .client import Engine
from .errors import EngineError, EngineFailure, ProgramMissing
from .logs import Logs

OUTPUT_LIMIT = 64 * 1024
_ASKING_S = 1.0
_POLL_S = 0.02
_NOT_STARTED = (126, 127)
# How the engine begins what it writes into the stream when the program could not be started.
_ENGINES_WORDS = ("OCI runtime exec failed", "rpc error", "failed to exec", "unable to start container process")


@dataclass(frozen=True)
class Ran:
    """How a program ended: ``status`` is ``None`` when it did not by the deadline, and ``left`` says then what became of it."""

    status: int | None
    output: Logs
    left: str = ""


def run(engine: Engine, container: str, argv: Sequence[str], deadline: Deadline, limit: int = OUTPUT_LIMIT, user: str = "") -> Ran:
    """Run ``argv`` in ``container`` as its own user, unless ``user`` names another; of each stream the last ``limit / 2`` bytes are kept.

    Raises ``ContainerNotRunning`` or ``NoSuchContainer`` (nothing can be asked in it), ``ProgramMissing`` (the container cannot run it), or
    another of the engine's errors. It ends by the deadline, whatever hangs.
    """
    name = argv[0]
    identity = engine.exec_create(container, argv, user, deadline)
    output = engine.exec_start(identity, limit, deadline.within(max(0.1, deadline.left - _ASKING_S)))
    ended = _ended(engine, identity, deadline, waits=not output.error)
    if ended.get("Running"):
        return Ran(None, output, _kill(engine, identity, ended, deadline))
    status = ended.get("ExitCode")
    if not isinstance(status, int):
        raise EngineError(0, f"the container engine does not say how {name!r:.80} ended in the container")
    words = (output.stdout + output.stderr).decode("utf-8", "replace").strip()
    if status in _NOT_STARTED and any(each in words for each in _ENGINES_WORDS):
        raise ProgramMissing(name, words)
    return Ran(status, output)


def _ended(engine: Engine, identity: str, deadline: Deadline, waits: bool) -> dict[str, Any]:
    """What the engine knows about the program; when its output has ended, it is about to, and that is waited for."""
    while True:
        known = engine.exec_inspect(identity, deadline)
        if not known.get("Running") or not waits or deadline.left <= _ASKING_S / 2:
            return known
        time.sleep(min(_POLL_S, deadline.left))


def _kill(engine: Engine, identity: str, known: dict[str, Any], deadline: Deadline) -> str:
    """Kill a program that did not end; what became of it, in words."""
    pid = known.get("Pid")
    left = f"it goes on in the container as process {pid} of the host" if pid else "it goes on in the container"
    if os.geteuid() != 0 or not isinstance(pid, int) or pid <= 1:
        return left
    try:
        handle = os.pidfd_open(pid)
    except (AttributeError, OSError):
        return left
    try:
        # The handle was opened before this question: if the program runs still, the handle is of no other process that got its number since.
        now = engine.exec_inspect(identity, deadline)
        if not (now.get("Running") and now.get("Pid") == pid and belongs_to(pid, str(now.get("ContainerID") or ""))):
            return left
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except (EngineFailure, OSError, AttributeError):
        return left
    finally:
        os.close(handle)
    return "it was killed; what it had started itself may go on"


def belongs_to(pid: int, container_id: str) -> bool:
    """Whether a process of this host is one of the container with this full id, as its control groups tell."""
    if not container_id:
        return False
    try:
        with open(f"/proc/{pid}/cgroup", encoding="utf-8", errors="replace") as stream:
            return container_id in stream.read()
    except OSError:
        return False
