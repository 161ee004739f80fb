# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One host of a running lab."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from . import inside, network, processes, wait
from .errors import LabError
from .plan import Plan

if TYPE_CHECKING:
    from docker import DockerClient  # type: ignore[import-untyped, unused-ignore]

T = TypeVar("T")

_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
_ENGINE_SECONDS = 30
_SIGNAL_ENGINE = 'pid=$(cat /run/docker.pid) && [ "$(cat /proc/$pid/comm)" = dockerd ] && kill -s "$1" "$pid"'


class Host:
    """A host: its own namespaces, root file system, sshd and engine. It is real enough to be broken."""

    def __init__(self, plan: Plan, number: int) -> None:
        self._plan = plan
        self.number = number
        self.name = plan.host_name(number)
        self.address = plan.address(number)

    def __repr__(self) -> str:
        return f"Host({self.name}, {self.address})"

    @property
    def pid(self) -> int:
        """The host's pid 1, as this machine numbers it. Raises LabError when the host does not run."""
        recorded = self.recorded()
        if recorded is None or processes.start_time(recorded[0]) != recorded[1]:
            raise LabError(f"{self.name} of lab {self._plan.name} is not running; `python -m tests.lab up` starts it")
        return recorded[0]

    @property
    def root(self) -> Path:
        """The host's root directory, seen from this machine."""
        return Path(f"/proc/{self.pid}/root")

    def run(
        self, argv: Sequence[str], check: bool = True, *, stdin: str | None = None, timeout: float = 60, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host, as root; with `check`, LabError when it fails. `env` adds to the host's own environment."""
        given: dict[str, Any] = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        given |= {"env": _ENVIRONMENT | (env or {}), "capture_output": True, "text": True}
        try:
            done = subprocess.run([*self._enter(), *argv], check=False, timeout=timeout, **given)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name}: {' '.join(argv)}: no answer within {timeout:g} s") from error
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {' '.join(argv)}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done

    def popen(self, argv: Sequence[str]) -> subprocess.Popen[str]:
        """Start a command on the host, as root, with pipes as its standard input and output. It has to end when its input does: signals do not reach it."""
        return subprocess.Popen([*self._enter(), *argv], text=True, env=_ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def _enter(self) -> list[str]:
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p"]

    def docker(self, *args: str) -> str:
        """What the host's own `docker` command prints."""
        return self.run(["docker", *args]).stdout.strip()

    def engine(self, timeout: int = 60) -> DockerClient:
        """The Docker SDK's client on this host's engine."""
        from docker import DockerClient

        return DockerClient(base_url=f"unix://{self.root}/run/docker.sock", timeout=timeout)

    def events(self, since: float, until: float | None = None) -> list[dict[str, Any]]:
        """Container events of the engine between two times (seconds since the epoch; until now). An engine remembers its last 256 events only."""
        end = time.time() if until is None else until
        options = ["--since", f"{since:.9f}", "--until", f"{end:.9f}", "--filter", "type=container", "--format", "{{json .}}"]
        return [json.loads(line) for line in self.docker("events", *options).splitlines()]

    def path(self, path: str) -> Path:
        """A path of the host as this machine can open it while the host runs."""
        return inside.resolve(self.root, path)

    def read(self, path: str) -> str:
        return self.path(path).read_text()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        place.chmod(mode)

    def link_down(self) -> None:
        """Pull the cable at the bridge's end: the host keeps its address and loses its carrier."""
        network.plug(self._plan, self.number, up=False)

    def link_up(self) -> None:
        network.plug(self._plan, self.number, up=True)

    def freeze_dockerd(self) -> None:
        """The engine hangs: its socket accepts and nobody answers."""
        self._signal_engine("STOP")

    def thaw_dockerd(self) -> None:
        self._signal_engine("CONT")

    def kill_dockerd(self) -> None:
        """The engine dies without a word, its containers go on; returns when it is gone."""
        pid = self.read("/run/docker.pid").strip()
        self._signal_engine("KILL")
        wait.until(f"{self.name}'s engine to end", lambda: not self.path(f"/proc/{pid}").exists(), seconds=10)

    def start_dockerd(self, env: dict[str, str] | None = None) -> None:
        """Start the engine (again), with `env` in its environment, and wait until it answers."""
        self.run(["/usr/local/sbin/lab-dockerd"], env=env)
        wait.until(f"{self.name}'s engine", self._engine_started, seconds=_ENGINE_SECONDS)

    def engine_answers(self) -> bool:
        """Whether `GET /version` is answered within two seconds."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(2)
            channel.connect(f"{self.root}/run/docker.sock")
            channel.sendall(b"GET /version HTTP/1.0\r\n\r\n")
            return b" 200 OK" in channel.recv(64)

    def sshd_answers(self) -> bool:
        """Whether sshd says who it is, asked over the lab's network."""
        with network.connect(self._plan.control, (self.address, 22)) as channel:
            return channel.recv(8).startswith(b"SSH-2.0")

    def log(self) -> str:
        """The last lines of what the host and its engine said, for error messages."""
        texts = []
        for place in (self._plan.directory(self.number) / "log", Path(f"/proc/{(self.recorded() or (0, 0))[0]}/root/var/log/dockerd.log")):
            try:
                texts.append(place.read_text())
            except OSError:
                continue
        lines = [line for line in "".join(texts).splitlines() if "level=info" not in line]
        return "\n".join(lines[-15:])

    def wait_ready(self, starter: subprocess.Popen[bytes], *, seconds: float) -> None:
        """Note down the host's pid 1 as soon as there is one, then wait for sshd and for the engine; LabError as soon as `starter` ends."""
        (space,) = processes.named_namespaces([self._plan.namespace(self.number)])

        def alive(found: Callable[[], T | None]) -> Callable[[], T | None]:
            def look() -> T | None:
                if starter.poll() is not None:
                    raise LabError(f"{self.name} ended while it was starting")
                return found()

            return look

        pid = wait.until(f"{self.name} to start", alive(lambda: processes.first_of(space)), seconds=seconds)
        self._record_file().write_text(f"{pid} {processes.start_time(pid)}\n")
        wait.until(f"{self.name}'s sshd", alive(self.sshd_answers), seconds=seconds)
        wait.until(f"{self.name}'s engine", alive(self._engine_started), seconds=seconds)

    def _engine_started(self) -> bool:
        ended = self.path("/run/dockerd.status")
        if ended.exists():
            raise LabError(f"{self.name}: dockerd ended with status {ended.read_text().strip()}\n{self.log()}")
        return self.engine_answers()

    def _signal_engine(self, name: str) -> None:
        self.run(["/bin/sh", "-c", _SIGNAL_ENGINE, "sh", name])

    def _record_file(self) -> Path:
        return self._plan.directory(self.number) / "pid"

    def recorded(self) -> tuple[int, int] | None:
        """Pid and start time of the host's pid 1 as noted down, whether or not it still runs."""
        try:
            pid, started = self._record_file().read_text().split()
            return int(pid), int(started)
        except (FileNotFoundError, ValueError):
            return None
