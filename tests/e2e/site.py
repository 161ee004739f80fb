# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site: services of one test on the lab's hosts, their inventory, the guard state and the reports."""

from __future__ import annotations

import json
import shlex
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.lab import Host, Lab, service, wait

from .runs import BIN, CHECKOUT, RUN_SECONDS, Run, Started, environment

GUARD = "/var/lib/selfheal"
FIRST_PORT = 8081
ANSWER_SECONDS = 15

# Fast, and real: one look instead of three, seconds instead of minutes.
QUICK = {"recovery_startup_grace": 0, "recovery_stable_window": 2, "recovery_verify_timeout": 8}

# Everything else that an engine reports about containers changes something.
_LOOKING_ON = ("attach", "exec_create", "exec_detach", "exec_die", "exec_start", "export", "health_status", "resize", "top")


def load_images(lab: Lab) -> None:
    """The demo service's image on every host."""
    for host in lab.hosts:
        service.load(host.engine())


@dataclass
class Instance:
    """One container of the demo service on one host."""

    lab: Lab
    name: str
    host: Host
    container: str
    port: int
    variables: dict[str, Any] = field(default_factory=dict)

    @property
    def faults(self) -> service.Faults:
        return service.Faults(self.host.path(self._faults))

    @property
    def _faults(self) -> str:
        return f"/srv/faults/{self.container}"

    def start(self) -> None:
        """Make its container, and wait until it answers."""
        self.create()
        self.wait_for(200)

    def create(self, **options: Any) -> None:
        """Make and start its container; `options` as for the Docker SDK."""
        self.host.path(self._faults).mkdir(parents=True, exist_ok=True)
        engine = self.host.engine()
        try:
            service.run(engine, self.container, port=self.port, faults_dir=self._faults, image=service.tag("1"), **options)
        finally:
            engine.close()

    def remove(self) -> None:
        self.host.run(["docker", "rm", "--force", "--volumes", self.container], check=False)
        self.host.run(["rm", "-rf", self._faults])

    def state(self) -> str:
        """The state of its container, in the engine's word."""
        return self.host.docker("inspect", "--format", "{{.State.Status}}", self.container)

    def status(self) -> int:
        """The status of its answer over HTTP, asked from the control node."""
        return self.lab.get(f"http://{self.host.address}:{self.port}/")[0]

    def wait_for(self, status: int) -> None:
        wait.until(f"{self.name} to answer {status}", lambda: self.status() == status, seconds=ANSWER_SECONDS)

    def break_until_restart(self) -> None:
        """It answers 500 until it is restarted."""
        self.faults.set("http500", until_restart=True)
        self.wait_for(500)

    def break_for_good(self) -> None:
        """It answers 500, and no restart changes that."""
        self.faults.set("http500")
        self.wait_for(500)


class Site:
    """Services, inventory, state and reports of one test. As a context manager it leaves nothing on the hosts."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self.directory = directory
        self.state = self.store("state")
        self.inventory = directory / "inventory.yml"
        self.instances: dict[str, Instance] = {}
        self._started: list[Started] = []
        self._runs = 0

    def __enter__(self) -> Site:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for started in self._started:
            started.close()
        _at_once(Instance.remove, self.instances.values())
        for host in {each.host.number: each.host for each in self.instances.values()}.values():
            host.run(["rm", "-rf", GUARD])

    def store(self, name: str) -> str:
        """The URL of a state store of this test."""
        return f"sqlite:///{self.directory / name / 'state.db'}"

    def deploy(self, name: str, hosts: int | Sequence[int] = 1, *, start: bool = True, **variables: Any) -> list[Instance]:
        """A service with one instance on each of the first `hosts` hosts, or on the hosts of these indices; all healthy when this returns."""
        port = FIRST_PORT + len(self.instances)
        http = {"kind": "http", "url": f"http://localhost:{port}", "attempts": 1, "attempt_timeout": 5}
        own = {"recovery_service": name, "recovery_container": name, "recovery_probes": [{"kind": "docker"}, {"kind": "container"}, http]}
        indices = range(hosts) if isinstance(hosts, int) else hosts
        made = [Instance(self.lab, f"{name}{index + 1}", self.lab.hosts[index], name, port, own | QUICK | variables) for index in indices]
        self.instances |= {instance.name: instance for instance in made}
        self.write_inventory()
        if start:
            _at_once(Instance.start, made)
        return made

    def write_inventory(self) -> None:
        self.lab.write_inventory(self.inventory, {each.name: (each.host.number - 1, each.variables) for each in self.instances.values()})

    def rung(self, name: str, *tasks: Mapping[str, Any]) -> str:
        """A rung that a site brings itself: a role in a collection of its own. Returns its name for the ladder."""
        path = self.directory / "collections" / "ansible_collections" / "site" / "rungs" / "roles" / name / "tasks" / "main.yml"
        path.parent.mkdir(parents=True)
        path.write_text(f"---\n{json.dumps(tasks)}\n")
        return f"site.rungs.{name}"

    def start(
        self,
        *options: str | Path,
        playbook: str | Path = "recover.yml",
        cwd: Path = CHECKOUT,
        inventories: Sequence[Path] = (),
        controller: int = 0,
        **env: str,
    ) -> Started:
        """`ansible-playbook` under way; upper-case keywords are variables of its environment.

        With the number of one of the lab's controllers it runs there, with a home and connections of its own.
        """
        self._runs += 1
        if controller:
            options, env = self._at_home(controller, options, env)
        reports = self.directory / f"reports{self._runs}"
        paths = f"{CHECKOUT / 'collections'}:{self.directory / 'collections'}"
        own = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": paths, "ANSIBLE_NOCOLOR": "1"}
        given = environment(**(own | {"RECOVERY_STATE": self.state, "RECOVERY_REPORTS": str(reports)} | env))
        places = [word for each in inventories or [self.inventory] for word in ("-i", each)]
        argv = [BIN / "ansible-playbook", *places, CHECKOUT / playbook if cwd != CHECKOUT else playbook, *options]
        started = Started(
            self.lab, argv, cwd, {name: value for name, value in given.items() if value}, self.directory / f"run{self._runs}.log", reports, controller
        )
        self._started.append(started)
        return started

    def _at_home(self, controller: int, options: Sequence[str | Path], env: Mapping[str, str]) -> tuple[tuple[str | Path, ...], dict[str, str]]:
        home = self.directory / f"home{controller}"
        sockets = self.lab.plan.control_sockets / str(controller)
        for directory in (home, sockets):
            directory.mkdir(mode=0o700, exist_ok=True)
        own = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state"), "ANSIBLE_HOME": str(home / "ansible")}
        return (*options, "-e", f"ansible_control_path_dir={sockets}"), own | dict(env)

    def recover(self, *options: str | Path, **given: Any) -> Run:
        """`ansible-playbook recover.yml` from start to end."""
        return self.start(*options, **given).finish()

    def command(self, *argv: str | Path, cwd: Path = CHECKOUT, **env: Any) -> subprocess.CompletedProcess[str]:
        """A command on the control node, with this site's state."""
        given = environment(**({"RECOVERY_STATE": self.state} | env))
        return self.lab.run(list(map(str, argv)), cwd=cwd, env=given, stdin=subprocess.DEVNULL, timeout=RUN_SECONDS)

    def selfheal(self, *words: str, **env: Any) -> str:
        """What the `selfheal` command prints; it must succeed."""
        done = self.command(BIN / "selfheal", *words, **env)
        assert done.returncode == 0, f"selfheal {shlex.join(words)}: {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def type(self, line: str, **env: str) -> str:
        """What a printed `selfheal` command prints when it is typed as it stands."""
        program, *words = shlex.split(line)
        assert program == "selfheal"
        return self.selfheal(*words, **env)

    def breaker(self, verb: str, scope: str, **env: str) -> Any:
        """The JSON of `selfheal breaker status`, `history` or `events` for a service or an instance."""
        return json.loads(self.selfheal("breaker", verb, "--json", "--scope", scope, *(["--limit", "100"] if verb == "events" else []), **env))

    def session(self, scope: str) -> str | None:
        found: str | None = self.breaker("status", scope)["session"]
        return found

    def mutations(self, since: float) -> dict[str, list[str]]:
        """What was changed on the hosts' engines since then, as the engines themselves tell it: instance (or host and container) to actions."""
        names = {(each.host.name, each.container): each.name for each in self.instances.values()}
        found: dict[str, list[str]] = {}
        for host in self.lab.hosts:
            for event in host.events(since):
                if event["Action"].split(":")[0] not in _LOOKING_ON:
                    container = event["Actor"]["Attributes"].get("name", "?")
                    found.setdefault(names.get((host.name, container), f"{host.name}:{container}"), []).append(event["Action"])
        return found

    def restarts(self, since: float) -> dict[str, int]:
        """How often each instance was restarted, of those that were touched at all."""
        return {name: Counter(actions)["restart"] for name, actions in self.mutations(since).items()}

    @contextmanager
    def engine_frozen(self, host: Host) -> Iterator[None]:
        """The host's engine hangs meanwhile."""
        host.freeze_dockerd()
        try:
            yield
        finally:
            host.thaw_dockerd()
            wait.until(f"{host.name}'s engine", host.engine_answers, seconds=ANSWER_SECONDS)

    @contextmanager
    def link_cut(self, host: Host) -> Iterator[None]:
        """The host cannot be reached meanwhile."""
        host.link_down()
        try:
            yield
        finally:
            host.link_up()
            wait.until(f"{host.name}'s sshd", host.sshd_answers, seconds=ANSWER_SECONDS)


def _at_once(action: Callable[[Instance], None], instances: Iterable[Instance]) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(action, instances))


def now() -> float:
    """The time, on every host of the lab and here."""
    return time.time()
