# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sealed network of real hosts on one machine: `up`, `down`, and what tests do in between."""

from __future__ import annotations

import http.client
import subprocess
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from . import cgroups, engines, inventory, keys, mounts, network, processes, registry, rootfs, seed, wait
from .commands import Commands
from .errors import LabError
from .host import Host
from .lock import Lock
from .plan import Plan, default_state

_INIT = Path(__file__).parent / "files" / "host_init.sh"
_START_SECONDS = 60
_END_SECONDS = 10


class Lab:
    """A lab, by name; nothing is made before `up`. As a context manager it is up inside and down afterwards."""

    def __init__(
        self,
        name: str = "lab",
        hosts: int = 3,
        *,
        state: Path | None = None,
        subnet: str | None = None,
        host_size: str = "1g",
        engine_names: Sequence[str] = (),
        controllers: int = 0,
    ) -> None:
        """`state` is the directory of its files, `subnet` a /24, `host_size` the most that one host may write (a tmpfs).

        `engine_names` are the first hosts' engines (of `engines.ENGINES`); the others run the root file system's own.
        `controllers` are control nodes with a network of their own, besides the one at the bridge: see `popen` and `enter`.
        """
        self.plan = Plan.make(name, state, hosts, subnet, engine_names, controllers)
        self._host_size = host_size
        self._children: list[subprocess.Popen[bytes]] = []

    @classmethod
    def attach(cls, name: str = "lab", *, state: Path | None = None) -> Lab:
        """The lab that was made under this name, with as many hosts as it has. Raises LabError when there is none."""
        where = (state or default_state(name)).absolute()
        plan = Plan.read(where)
        if plan is None:
            raise LabError(f"no lab {name} in {where}; `python -m tests.lab up` makes one")
        return cls(plan.name, plan.hosts, state=plan.state, subnet=plan.subnet, engine_names=plan.engine_names, controllers=plan.controllers)

    def __enter__(self) -> Lab:
        self.up()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.down()

    @property
    def name(self) -> str:
        return self.plan.name

    @property
    def state(self) -> Path:
        return self.plan.state

    @property
    def hosts(self) -> list[Host]:
        return [Host(self.plan, number) for number in self.plan.numbers]

    @property
    def registry(self) -> str:
        """Address and port of the lab's registry (plain HTTP)."""
        return self.plan.registry

    def up(self) -> float:
        """Start the lab unless it runs; returns the seconds that took, without building the root file system or fetching engines.

        What an earlier `up` left unfinished is cleared up first. When this one fails, it clears up after itself.
        """
        rootfs.ensure()
        engines.ensure(self.plan.engine_names)
        started = time.monotonic()
        with Lock(self.plan.lock) as lock, rootfs.lock(shared=True):
            earlier = Plan.read(self.state)
            if earlier == self.plan and self.is_up():
                return time.monotonic() - started
            commands = Commands(lock.fd)
            if earlier is not None:
                self._clear(earlier, commands)
            self.plan.write()
            try:
                self._start(commands)
            except BaseException:
                self._clear(self.plan, commands)
                self._finish(lock)
                raise
        return time.monotonic() - started

    def down(self) -> None:
        """Clear up everything that this lab made or began to make; harmless when there is nothing."""
        with Lock(self.plan.lock) as lock:
            earlier = Plan.read(self.state)
            if earlier is not None:
                self._clear(earlier, Commands(lock.fd))
            self._finish(lock)

    def is_up(self) -> bool:
        """Whether every host's sshd and engine, and the registry, answer now."""
        try:
            return registry.answers(self.plan) and all(host.sshd_answers() and host.engine_answers() for host in self.hosts)
        except (LabError, OSError):
            return False

    def run(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """`subprocess.run` inside the control namespace, with this machine's files; output is captured as text unless said otherwise."""
        captured = not {"stdout", "stderr", "capture_output"} & options.keys()
        given: dict[str, Any] = {"text": True, "capture_output": captured} | options
        return subprocess.run(self.enter(argv), check=given.pop("check", False), **given)

    def popen(self, argv: Sequence[str], *, controller: int = 0, **options: Any) -> subprocess.Popen[str]:
        """`subprocess.Popen` inside the control namespace, or inside that of a controller."""
        return subprocess.Popen(self.enter(argv, controller), **({"text": True} | options))

    def enter(self, argv: Sequence[str], controller: int = 0) -> list[str]:
        """The argument list that runs `argv` inside the control namespace, or inside that of a controller (from 1)."""
        namespace = self.plan.controller(controller) if controller else self.plan.control
        return ["nsenter", f"--net=/run/netns/{namespace}", "--", *argv]

    def get(self, url: str, *, timeout: float = 5) -> tuple[int, str]:
        """GET a URL from within the control namespace: status and body. Raises OSError when there is no answer in time."""
        parts = urllib.parse.urlsplit(url)
        address = (parts.hostname or "", parts.port or 80)
        connection = http.client.HTTPConnection(*address, timeout=timeout)
        connection.sock = network.connect(self.plan.control, address, seconds=timeout)
        connection.sock.settimeout(timeout)
        try:
            connection.request("GET", parts._replace(scheme="", netloc="").geturl() or "/")
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise ConnectionError(f"{url}: {error!r}") from error
        finally:
            connection.close()

    def ssh(self, host: Host, *argv: str) -> list[str]:
        """The argument list that runs `argv` on a host over ssh; to be run with `run` or `popen`."""
        options = [*keys.ssh_options(self.plan), "-o", "BatchMode=yes", "-i", str(self.state / "id_ed25519")]
        return ["ssh", "-F", "/dev/null", *options, f"root@{host.address}", *argv]

    def ssh_variables(self, host: Host) -> dict[str, str]:
        """Inventory variables with which Ansible, run inside the control namespace, reaches a host."""
        return inventory.ssh_variables(self.plan, host.number)

    def write_inventory(self, path: Path, instances: inventory.Instances, variables: Mapping[str, Any] | None = None) -> Path:
        """Write a YAML inventory: name -> (index into `hosts`, variables), all in the group `recovery`, whose own are `variables`."""
        path.write_text(inventory.text(self.plan, instances, variables))
        return path

    def _start(self, commands: Commands) -> None:
        self.plan.control_sockets.mkdir(mode=0o700)
        network.make(self.plan, commands)
        self._children.append(registry.start(self.plan, commands))
        keys.make(self.plan, commands)
        starters = [self._start_host(host, commands) for host in self.hosts]
        self._children += starters
        with ThreadPoolExecutor(len(starters)) as pool:
            for ready in [pool.submit(_wait_ready, host, starter) for host, starter in zip(self.hosts, starters, strict=True)]:
                ready.result()
        wait.until("the registry", lambda: registry.answers(self.plan), seconds=_START_SECONDS)

    def _start_host(self, host: Host, commands: Commands) -> subprocess.Popen[bytes]:
        seed.write(self.plan, host.number)
        directory = self.plan.directory(host.number)
        unshare = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        argv = [*unshare, "/bin/sh", str(_INIT), engines.layers(self.plan.engine(host.number)), str(directory), host.name, self._host_size]
        return commands.stay(self.plan.namespace(host.number), argv, log=directory / "log")

    def _clear(self, plan: Plan, commands: Commands) -> None:
        """Clear up in the order in which one thing holds another: processes, networks, control groups, files, and the record last."""
        parents = [plan.cgroup(number) for number in plan.numbers]

        def thaw() -> None:
            for parent in parents:
                cgroups.thaw(parent)

        processes.end_all(processes.named_namespaces(plan.namespaces), recorded=_recorded(plan), each_pass=thaw)
        for child in self._children:
            child.wait(_END_SECONDS)
        self._children.clear()
        network.remove(plan, commands)
        for parent in parents:
            cgroups.remove(parent)
        for path in plan.files():
            mounts.remove(path)

    def _finish(self, lock: Lock) -> None:
        """Remove the directories if nothing is left in them; a stranger's files stay, and so do they."""
        (self.state / "record.json.new").unlink(missing_ok=True)
        lock.remove()
        for directory in (self.state, self.state.parent):
            with suppress(OSError):
                directory.rmdir()


def _wait_ready(host: Host, starter: subprocess.Popen[bytes]) -> None:
    try:
        host.wait_ready(starter, seconds=_START_SECONDS)
    except LabError as error:
        raise LabError(f"{error}\n{host.log()}") from error


def _recorded(plan: Plan) -> list[tuple[int, int]]:
    """The hosts' first processes as noted down, unless that was before the machine started anew."""
    if plan.boot != Path("/proc/sys/kernel/random/boot_id").read_text().strip():
        return []
    notes = [Host(plan, number).recorded() for number in plan.numbers]
    return [note for note in notes if note is not None]
