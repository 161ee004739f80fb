# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One service on one host of the lab, and the modules run on it as Ansible runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from docker import DockerClient  # type: ignore[import-untyped, unused-ignore]

from tests.lab import Host, Lab, service, wait

CHECKOUT = Path(__file__).resolve().parents[2]
ANSIBLE = Path(sys.executable).parent / "ansible"
GUARD = "/var/lib/selfheal/host"
SCOPE = "test/web/web1"
STORE = "a" * 32
PORT = 8080
FAULTS = "/srv/faults"
ANSWER_SECONDS = 15
RUN_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What `ansible` said: the word before the result, the result, everything it printed, and its exit status."""

    word: str
    result: dict[str, Any]
    output: str
    status: int

    def __getitem__(self, key: str) -> Any:
        return self.result[key]

    @property
    def checks(self) -> dict[str, str]:
        return {check["name"]: check["status"] for check in self["health"]["checks"]}


@dataclass(frozen=True)
class Run:
    """How `ansible` is run."""

    check: bool = False
    verbose: bool = False
    timeout: int = 0
    python: str = ""
    user: str = ""

    def options(self) -> list[str]:
        return ["--check"] * self.check + ["-vvvv"] * self.verbose + ["--task-timeout", str(self.timeout)] * bool(self.timeout) + self._become()

    def _become(self) -> list[str]:
        return ["--become", "--become-method", "sudo", "--become-user", self.user] if self.user else []

    def variables(self) -> dict[str, str]:
        return {"ansible_python_interpreter": self.python} if self.python else {}


class Target:
    """The service `web` on one of the lab's hosts, by default the first."""

    def __init__(self, lab: Lab, directory: Path, index: int = 0) -> None:
        self.lab = lab
        self.host: Host = lab.hosts[index]
        self._directory = directory
        self._token = 0

    @cached_property
    def engine(self) -> DockerClient:
        return self.host.engine()

    @property
    def faults(self) -> service.Faults:
        return service.Faults(self.host.path(FAULTS))

    def start(self, name: str = "web", wait_for: int | None = 200, image: str = service.tag("1"), **options: Any) -> None:
        """Run the service; `wait_for` a status of its answer."""
        self.host.path(FAULTS).mkdir(parents=True, exist_ok=True)
        service.run(self.engine, name, port=PORT, faults_dir=FAULTS, image=image, **options)
        if wait_for:
            self.wait_for(wait_for)

    def status(self) -> int:
        return self.lab.get(f"http://{self.host.address}:{PORT}/")[0]

    def wait_for(self, status: int) -> None:
        wait.until(f"status {status}", lambda: self.status() == status, seconds=ANSWER_SECONDS)

    def inspect(self, name: str = "web") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.host.docker("inspect", name))[0]
        return found

    def clear(self) -> None:
        """Leave nothing on the host."""
        self.host.run(["/bin/sh", "-c", "docker ps -aq | xargs -r docker rm -f"])
        self.host.run(["rm", "-rf", str(Path(GUARD).parent), FAULTS])
        if "engine" in self.__dict__:
            self.engine.close()

    @contextmanager
    def engine_frozen(self) -> Iterator[None]:
        self.host.freeze_dockerd()
        try:
            yield
        finally:
            self.host.thaw_dockerd()
            wait.until("the engine", self.host.engine_answers, seconds=ANSWER_SECONDS)

    def measure(self, run: Run = Run(), **given: Any) -> Answer:
        """The answer of `service_health_info`; `given` are its options."""
        return self.finish(self.begin("service_health_info", run, **given))

    def restart(self, run: Run = Run(), **given: Any) -> Answer:
        """The answer of `container_restart`, as the next admitted session."""
        return self.finish(self.begin_restart(run, **given))

    def begin_restart(self, run: Run = Run(), **given: Any) -> subprocess.Popen[str]:
        quick: dict[str, Any] = {"fence": self.fence(), "stable_window": 1, "verify_timeout": 6}
        return self.begin("container_restart", run, **(quick | given))

    def fence(self, token: int | None = None, lease: float = 600, **given: Any) -> dict[str, Any]:
        """What an admission would hand out now."""
        self._token = self._token + 1 if token is None else token
        boot, uptime = self.host.read("/proc/sys/kernel/random/boot_id").strip(), float(self.host.read("/proc/uptime").split()[0])
        end = {"boot_id": boot, "seconds": uptime + lease}
        return {"session_id": f"recovery-{self._token}", "scope": SCOPE, "token": self._token, "store_id": STORE, "not_after": end} | given

    def begin(self, module: str, run: Run, **given: Any) -> subprocess.Popen[str]:
        probes = [{"kind": "docker"}, {"kind": "container"}, {"kind": "http", "url": f"http://localhost:{PORT}/", "attempts": 1, "attempt_timeout": 2}]
        arguments = {"scope": SCOPE, "container": "web", "probes": probes, "startup_grace": 0} | given
        inventory = self.lab.write_inventory(self._directory / "inventory.yml", {"web1": (self.host.number - 1, run.variables())})
        argv = [str(ANSIBLE), "web1", "-i", str(inventory), "-m", f"selfheal.recovery.{module}", "-a", json.dumps(arguments), *run.options()]
        own = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        environment: Mapping[str, str] = os.environ | own
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return self.lab.popen(argv, cwd=CHECKOUT, env=environment, **streams)

    def finish(self, running: subprocess.Popen[str]) -> Answer:
        with running:
            output = running.communicate(timeout=RUN_SECONDS)[0]
        at = output.index("web1 | ")
        word, _arrow, rest = output[at + len("web1 | ") :].partition(" => ")
        result, _end = json.JSONDecoder().raw_decode(rest)
        return Answer(word, result, output, running.returncode)
