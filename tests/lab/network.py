# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Network namespaces, the bridge and the cables. Nothing here touches the machine's own namespace: the lab has no uplink."""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
from pathlib import Path

from .commands import Commands
from .plan import Plan

_NEW_NET = 0x40000000


def make(plan: Plan, commands: Commands) -> None:
    for namespace in plan.namespaces:
        commands.run(["ip", "netns", "add", namespace])
    for argv in _links(plan):
        commands.run(["ip", *argv])


def remove(plan: Plan, commands: Commands) -> None:
    """Cables first: deleting a namespace is asynchronous, and a cable would linger until the kernel gets round to it."""
    present = [namespace for namespace in plan.namespaces if os.path.lexists(f"/run/netns/{namespace}")]
    if plan.control in present:
        for _namespace, port, _address in plan.cables:
            commands.run(["ip", "-n", plan.control, "link", "del", port], check=False)
    for namespace in reversed(present):
        commands.run(["ip", "netns", "del", namespace])


def plug(plan: Plan, number: int, *, up: bool) -> None:
    """Pull or plug a host's cable at the bridge's end: the host keeps its address and routes, and loses its carrier."""
    Commands(subprocess.DEVNULL).run(["ip", "-n", plan.control, "link", "set", plan.port(number), "up" if up else "down"])


def connect(namespace: str, address: tuple[str, int], *, seconds: float = 2) -> socket.socket:
    """A TCP connection that starts in a named network namespace. The calling thread stays where it is."""
    result: list[socket.socket | OSError] = []

    def inside() -> None:
        try:
            fd = os.open(Path("/run/netns") / namespace, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(fd, _NEW_NET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter network namespace {namespace}")
            finally:
                os.close(fd)
            result.append(socket.create_connection(address, timeout=seconds))
        except OSError as error:
            result.append(error)

    thread = threading.Thread(target=inside, name=f"connect in {namespace}")
    thread.start()
    thread.join()
    if isinstance(result[0], OSError):
        raise result[0]
    return result[0]


def _links(plan: Plan) -> list[list[str]]:
    control = ["-n", plan.control]
    links = [
        [*control, "link", "set", "lo", "up"],
        [*control, "link", "add", "bridge", "type", "bridge"],
        [*control, "addr", "add", f"{plan.gateway}/24", "dev", "bridge"],
        [*control, "link", "set", "bridge", "up"],
    ]
    for namespace, port, address in plan.cables:
        own = ["-n", namespace]
        links += [
            [*control, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", namespace],
            [*control, "link", "set", port, "master", "bridge", "up"],
            [*own, "link", "set", "lo", "up"],
            [*own, "addr", "add", f"{address}/24", "dev", "eth0"],
            [*own, "link", "set", "eth0", "up"],
        ]
    return links
