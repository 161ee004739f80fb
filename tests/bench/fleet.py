# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A lab with one healthy service on each host, and inventories of its first so many."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.site import Instance, load_images
from tests.lab import Lab

from . import rival

PORT = 8081
URL = f"http://localhost:{PORT}/"
# The same two questions as the other side's: one look at the service, one at the container.
PROBES = [{"kind": "docker"}, {"kind": "container"}, {"kind": "http", "url": URL, "attempts": 1, "attempt_timeout": 5}]
VARIABLES = {"recovery_service": "web", "recovery_container": "web", "recovery_url": URL, "recovery_probes": PROBES, "recovery_startup_grace": 0}


@dataclass(frozen=True)
class Fleet:
    """The lab, its instances, and a directory for what runs leave behind."""

    lab: Lab
    directory: Path
    instances: list[Instance]

    def inventory(self, size: int, **variables: Any) -> Path:
        """An inventory of the first `size` instances."""
        path = self.directory / f"inventory{size}.yml"
        return self.lab.write_inventory(path, {each.name: (each.host.number - 1, VARIABLES | variables) for each in self.instances[:size]})

    def forget(self) -> None:
        """No run has ever been here: neither hosts nor store remember anything."""
        for each in self.instances:
            each.host.run(["rm", "-rf", "/var/lib/selfheal"])


@contextmanager
def fleet(hosts: int, directory: Path) -> Iterator[Fleet]:
    """So many hosts with a healthy service each, equipped for both sides."""
    with Lab("bench", hosts) as lab:
        load_images(lab)
        rival.equip(lab)
        instances = [Instance(lab, f"web{host.number}", host, "web", PORT) for host in lab.hosts]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(Instance.start, instances))
        place = directory / "collections"
        place.mkdir(parents=True)
        (place / "ansible_collections").symlink_to(rival.collections() / "ansible_collections")
        yield Fleet(lab, directory, instances)
