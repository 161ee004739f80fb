# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What one run costs: seconds, processor time here and on the hosts, processes and threads started, module calls."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from tests.e2e.runs import BIN, CHECKOUT, environment
from tests.lab import Host, Lab, wait
from tests.lab.processes import namespace_of

from .figures import median

_TICKS = os.sysconf("SC_CLK_TCK")
_COUNTING = Path(__file__).parent / "callback_plugins"
# A process id is never used twice in a young namespace, so the last one says how many processes and threads there were.
_COUNTED = 'out=$1; shift; "$@"; status=$?; cat /proc/sys/kernel/ns_last_pid >"$out"; exit $status'
_LOOKING = 1  # what reading the number adds to it


class RunFailed(Exception):
    """A run that was to succeed did not."""


@dataclass(frozen=True)
class Cost:
    """One run: wall-clock seconds; CPU seconds, processes and threads started, and modules run, on the control node and on all hosts.

    The CPU of hosts is that of the sessions; modules of the control node run inside Ansible.
    """

    wall: float
    cpu_here: float
    cpu_there: float
    started_here: int
    started_there: int
    modules_here: int = 0
    modules_there: int = 0

    @property
    def cpu(self) -> float:
        return self.cpu_here + self.cpu_there


def typical(costs: Iterable[Cost]) -> Cost:
    """The median of each figure by itself."""
    found = list(costs)
    medians: dict[str, Any] = {field.name: median(getattr(each, field.name) for each in found) for field in fields(Cost)}
    return Cost(**medians)


@dataclass(frozen=True)
class Measured:
    """A run's cost and all it printed."""

    cost: Cost
    output: str


def playbook(lab: Lab, directory: Path, path: Path, inventory: Path, *options: str, **env: str) -> Measured:
    """The cost of one `ansible-playbook`, with cold connections as a scheduled run has them."""
    counts = directory / "modules.json"
    collections = os.pathsep.join([str(CHECKOUT / "collections"), str(directory / "collections")])
    own = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": collections, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORKS": "20"}
    counting = {"ANSIBLE_CALLBACK_PLUGINS": str(_COUNTING), "ANSIBLE_CALLBACKS_ENABLED": "module_calls", "MODULE_CALLS": str(counts)}
    argv = [str(BIN / "ansible-playbook"), "-i", str(inventory), str(path), *options]
    counts.unlink(missing_ok=True)
    done = command(lab, directory, argv, environment(**(own | counting | env)))
    found = json.loads(counts.read_text())
    return Measured(replace(done.cost, modules_here=found["here"], modules_there=found["there"]), done.output)


def command(lab: Lab, directory: Path, argv: Sequence[str], env: dict[str, str]) -> Measured:
    """The cost of one command in the lab's control namespace, in a process namespace of its own, so that nothing of it survives it."""
    last = directory / "last_pid"
    idle = {host.number: len(_pids(host)) for host in lab.hosts}
    there = [(_cpu(host), _started(host)) for host in lab.hosts]
    line = lab.enter(["unshare", "--pid", "--fork", "--kill-child", "--", "/bin/sh", "-c", _COUNTED, "sh", str(last), *argv])
    with (directory / "output").open("w+") as output:
        began = time.monotonic()
        process = subprocess.Popen(line, cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        _pid, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    if process.returncode != 0:
        raise RunFailed(f"{' '.join(argv)}: exit status {process.returncode}\n{said}")
    wait.until("the sessions on the hosts to end", lambda: all(len(_pids(host)) <= idle[host.number] for host in lab.hosts), seconds=10)
    after = [(_cpu(host), _started(host)) for host in lab.hosts]
    cpu = sum(now[0] - before[0] for before, now in zip(there, after, strict=True))
    started = sum(now[1] - before[1] - _LOOKING for before, now in zip(there, after, strict=True))
    return Measured(Cost(wall, usage.ru_utime + usage.ru_stime, cpu, int(last.read_text()) - _LOOKING, started), said)


def _pids(host: Host) -> list[int]:
    space = namespace_of(host.pid, "pid")
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if namespace_of(entry.name, "pid") == space]


def _cpu(host: Host) -> float:
    """CPU seconds of every session that ever ran on the host: what ended is in its parent's account. The engine's own are not among them."""
    total = 0
    for pid in _pids(host):
        try:
            _number, name, fields = re.split(r" \(|\) ", Path(f"/proc/{pid}/stat").read_text(errors="replace"), maxsplit=2)
        except OSError:
            continue
        if name == "sshd":
            total += sum(map(int, fields.split()[11:15]))
    return total / _TICKS


def _started(host: Host) -> int:
    return int(host.run(["cat", "/proc/sys/kernel/ns_last_pid"]).stdout)
