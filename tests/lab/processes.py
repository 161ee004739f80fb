# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finding and ending the lab's processes: by the namespaces they live in, never by a number that may have been given to another.

A process is signalled through a pid descriptor that was opened *before* its identity was read, so a recycled pid cannot be hit.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from . import wait


def namespace_of(pid: int | str, kind: str) -> int | None:
    """The inode of a process's namespace (`net`, `pid`, `mnt`); None when the process is gone or a zombie."""
    try:
        return os.stat(f"/proc/{pid}/ns/{kind}").st_ino
    except OSError:
        return None


def named_namespaces(names: Iterable[str]) -> set[int]:
    """The inodes of network namespaces under /run/netns; a file on which nothing is mounted is none."""
    found = set()
    for name in names:
        path = Path("/run/netns") / name
        with suppress(OSError):
            if os.stat(path).st_dev != os.stat(path.parent).st_dev:
                found.add(os.stat(path).st_ino)
    return found


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is no such process, or a zombie only."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def first_of(network: int) -> int | None:
    """The process 1 of a host, as this machine numbers it, given the host's network namespace."""
    own = namespace_of("self", "pid")
    for pid in _pids():
        if namespace_of(pid, "net") == network and namespace_of(pid, "pid") not in (None, own):
            with suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text(errors="replace")
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
                if numbers[-1] == "1":
                    return pid
    return None


def end_all(networks: set[int], *, recorded: Iterable[tuple[int, int]] = (), seconds: float = 30, each_pass: Callable[[], None] = lambda: None) -> None:
    """Kill every process of these network namespaces, and of the pid namespaces found there, until there is none.

    `recorded` are pairs of pid and start time from an earlier record. `each_pass` runs before each look (it thaws what is frozen).
    """
    own = namespace_of("self", "pid")
    spared = set(_ancestry())
    known = set(recorded)
    spaces: set[int] = set()
    clean = 0

    def one_pass() -> bool:
        nonlocal clean
        each_pass()
        found = False
        for pid in _pids():
            with suppress(OSError):
                if pid not in spared and _kill_if(pid, networks, spaces, own, known):
                    found = True
        clean = 0 if found else clean + 1
        return clean == 2  # one look may miss the child of a process that ended meanwhile; it had no parent left to miss twice

    wait.until("the lab's processes to end", one_pass, seconds=seconds, interval=0.01)


def _kill_if(pid: int, networks: set[int], spaces: set[int], own: int | None, known: set[tuple[int, int]]) -> bool:
    if namespace_of(pid, "net") not in networks and namespace_of(pid, "pid") not in spaces and pid not in {number for number, _started in known}:
        return False
    fd = os.pidfd_open(pid)
    try:
        space = namespace_of(pid, "pid")
        inside = namespace_of(pid, "net") in networks
        if not inside and space not in spaces and (pid, start_time(pid)) not in known:
            return False
        if inside and space is not None and space != own:
            spaces.add(space)
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        return True
    finally:
        os.close(fd)


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _ancestry() -> Iterator[int]:
    """This process and those that started it: `down` run from within the lab does not end itself half-way."""
    pid = os.getpid()
    while pid > 0:
        yield pid
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            return
