# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Running the demo service on an engine, a lab host's or this machine's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .image import CONTAINER_PORT

if TYPE_CHECKING:
    import docker  # type: ignore[import-untyped, unused-ignore]
    from docker.models.containers import Container  # type: ignore[import-untyped, unused-ignore]

_NANOSECONDS = 1_000_000_000


def healthcheck(*, port: int = CONTAINER_PORT, interval: float = 1, timeout: float = 2, retries: int = 2, start_period: float = 0) -> dict[str, Any]:
    """A Docker health check that asks the service itself; all times in seconds. `port` is the one inside the container."""
    return {
        "test": ["CMD", "/bin/busybox", "wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{port}/"],
        "interval": int(interval * _NANOSECONDS),
        "timeout": int(timeout * _NANOSECONDS),
        "retries": retries,
        "start_period": int(start_period * _NANOSECONDS),
    }


def run(
    engine: docker.DockerClient,
    name: str,
    *,
    port: int,
    faults_dir: Path | str,
    image: str,
    restart_policy: str = "unless-stopped",
    healthcheck: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    network_mode: str | None = None,
    address: str = "0.0.0.0",
    environment: Mapping[str, str] | None = None,
    **options: Any,
) -> Container:
    """Start the service and return its container.

    `faults_dir` is a path on the engine's host. `port` is where the service is reached: published on `address`, or listened on directly
    with `network_mode="host"`. `options` go to `containers.run` of the Docker SDK.
    """
    shared = network_mode == "host"
    settings: dict[str, Any] = dict(
        name=name,
        environment={"SERVICE_NAME": name, "PORT": str(port if shared else CONTAINER_PORT)} | dict(environment or {}),
        ports={} if shared else {f"{CONTAINER_PORT}/tcp": (address, port)},
        volumes={str(faults_dir): {"bind": "/faults", "mode": "rw"}},
        restart_policy={"Name": restart_policy},
        healthcheck=dict(healthcheck) if healthcheck else None,
        labels=dict(labels or {}),
        network_mode=network_mode,
        **options,
    )
    container: Container = engine.containers.run(image, detach=True, **settings)
    return container
