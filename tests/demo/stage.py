# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo's instances: containers on the engine, known by their label, and an inventory that names them."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab import service

from .engine import Engine
from .errors import DemoError
from .place import GUARD, IDENTITY

if TYPE_CHECKING:
    import docker  # type: ignore[import-untyped, unused-ignore]

ENVIRONMENT = "demo"
SERVICE = "web"
THRESHOLD = 3
_LABEL = {"selfheal.demo": IDENTITY}
_LOOPBACK = "127.0.0.1"
# Seconds. A service in production gets more of each, and more than one attempt to answer.
_POLICY = {"startup_grace": 0, "stable_window": 1, "verify_timeout": 3, "backoff": [0], "threshold": THRESHOLD}
_PROBES = [{"kind": "docker"}, {"kind": "container"}, {"kind": "http", "url": "{{ recovery_url }}", "attempts": 1}]


@dataclass(frozen=True)
class Instance:
    """One container of the service; `faults` switches its faults."""

    name: str
    port: int
    faults: service.Faults = field(repr=False)

    @property
    def container(self) -> str:
        return f"{IDENTITY}-{self.name}"

    @property
    def url(self) -> str:
        return f"http://{_LOOPBACK}:{self.port}/"

    def get(self) -> tuple[int, str]:
        """Status and body of its page. Raises OSError when there is no answer in time."""
        connection = http.client.HTTPConnection(_LOOPBACK, self.port, timeout=5)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace").strip()
        except http.client.HTTPException as error:
            raise ConnectionError(f"{self.url}: {error!r}") from error
        finally:
            connection.close()


class Stage:
    """The instances on their engine."""

    def __init__(self, engine: Engine, client: docker.DockerClient, directory: Path) -> None:
        ports = _free_ports(2)
        self.instances = [Instance(f"{SERVICE}-{number + 1}", port, service.Faults(directory / f"{number + 1}")) for number, port in enumerate(ports)]
        self._engine = engine
        self._client = client

    def deploy(self) -> None:
        image = service.load(self._client, repository=IDENTITY)
        for instance in self.instances:
            service.run(
                self._client,
                instance.container,
                port=instance.port,
                faults_dir=instance.faults.directory,
                image=image,
                labels=_LABEL,
                restart_policy="no",
                address=_LOOPBACK,
                environment={"SERVICE_NAME": instance.name},
                network_mode="host" if self._engine.ours else None,
                security_opt=["label=disable"],  # else SELinux, where it is, hides the faults from the service
            )

    def started_at(self, instance: Instance) -> str:
        """When its container was last started, in the engine's words."""
        return str(self._client.containers.get(instance.container).attrs["State"]["StartedAt"])

    def inventory(self) -> str:
        """The instances as hosts of an inventory (JSON, which YAML contains)."""
        common: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "recovery_environment": ENVIRONMENT,
            "recovery_service": SERVICE,
            "recovery_docker_host": self._engine.url,
            "recovery_guard_dir": str(GUARD),
            "recovery_probes": _PROBES,
            **{f"recovery_{name}": value for name, value in _POLICY.items()},
        }
        hosts = {each.name: {"recovery_container": each.container, "recovery_url": each.url} for each in self.instances}
        return json.dumps({"recovery": {"vars": common, "hosts": hosts}}, indent=2) + "\n"


@contextmanager
def staged(engine: Engine, directory: Path) -> Iterator[Stage]:
    """A stage on this engine, which has nothing of the demo on it before, nor afterwards."""
    import docker

    try:
        with closing(docker.DockerClient(base_url=engine.url, timeout=30)) as client:
            _clear(client)
            try:
                yield Stage(engine, client, directory)
            finally:
                _clear(client)
    except docker.errors.DockerException as error:
        raise DemoError(f"the Docker engine at {engine.url} does not do what the demo asks of it: {error}") from error


def _clear(client: docker.DockerClient) -> None:
    """Remove what bears the demo's label or name, and nothing else; what a killed demo left is found the same way."""
    for container in client.containers.list(all=True, filters={"label": [f"{name}={value}" for name, value in _LABEL.items()]}):
        container.remove(force=True, v=True)
    for image in client.images.list(IDENTITY):
        for tag in image.tags:
            if tag.startswith(f"{IDENTITY}:"):
                client.images.remove(tag)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    sockets = [socket.create_server((_LOOPBACK, 0)) for _ in range(count)]
    try:
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()
