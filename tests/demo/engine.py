# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The Docker engine of the demo: the user's where one answers, else one that exists for the demo only.

The demo's own engine lives in network, mount and process namespaces of its own, with `/run` and everything it stores in memory. So it
cannot meet another engine (two in one network namespace take each other's rules away), it needs no port of the machine, and it ends, with
its containers, when its first process ends, however that happens.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.lab import LabError, cgroups, service, wait

from .errors import DemoError, Unavailable
from .place import CHECKOUT, IDENTITY

INSIDE = "inside"
RUN = Path("/run")
_USUAL = "/var/run/docker.sock"
_PACKAGES = {"dockerd": "docker.io", "busybox": "busybox-static"}
_APART = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
_START_SECONDS = 30
_STOP_SECONDS = 20
# An engine makes these outside of its own directories; those that were not there before are removed after it, from the innermost on.
_TRACES = ("/etc/docker/key.json", "/etc/docker", "/opt/containerd/bin", "/opt/containerd/lib", "/opt/containerd")


@dataclass(frozen=True)
class Engine:
    """An engine that answers. On one of `ours` nothing is published: its containers use its network, which is the demo's own."""

    url: str
    ours: bool = False


def find() -> Engine | None:
    """The engine that DOCKER_HOST names, or the one at the usual place; None when nobody answers there. Raises Unavailable."""
    named = os.environ.get("DOCKER_HOST", "")
    if named and not named.startswith("unix://"):
        raise Unavailable(f"expected DOCKER_HOST to name an engine of this machine (unix://...), found {named}: unset it, or name another")
    path = named.removeprefix("unix://") or _USUAL
    try:
        if _answers(path):
            return Engine(f"unix://{path}")
    except PermissionError:
        raise Unavailable(f"your user may not use the Docker engine at {path}: become a member of its group (docker), or run make demo as root") from None
    except OSError:
        pass
    if named:
        raise Unavailable(f"expected a Docker engine at DOCKER_HOST={named}, and none answers: start it, or unset DOCKER_HOST")
    return None


def provide(own: bool) -> None:
    """See to what the demo needs: a static busybox for its image and, for an engine of its `own`, the engine. Raises Unavailable.

    Images are never pulled: a demo that needs the Internet fails where it is shown.
    """
    if own and os.geteuid() != 0:
        raise Unavailable(f"no Docker engine answers at {_USUAL}: start one, or run make demo as root on Debian or Ubuntu, where it brings its own")
    missing = _missing(own)
    if missing and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["sh", CHECKOUT / "tests" / "setup" / "machine.sh", "demo", *missing], stdin=subprocess.DEVNULL, check=False)
        missing = _missing(own)
    if missing == ["busybox-static"]:
        raise Unavailable("the demo's image is made of a static busybox: install one (Debian and Ubuntu: apt-get install busybox-static)")
    if missing:
        raise Unavailable(f"no Docker engine answers at {_USUAL}: start one, or install what is missing: {', '.join(missing)}")
    if own and subprocess.run([*_APART, "true"], capture_output=True, check=False).returncode != 0:
        raise Unavailable(f"no Docker engine answers at {_USUAL}, and this machine lets nobody make the namespaces for one: start one")


def run_inside() -> int:
    """Run the demo again beside an engine of its own, in namespaces that end with it; returns its exit status."""
    absent = [Path(trace) for trace in _TRACES if not Path(trace).exists()]
    # Whoever kills this process ends that one too, and with it everything inside.
    child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *_APART, sys.executable, "-m", "tests.demo", INSIDE], cwd=CHECKOUT)
    try:
        return child.wait()
    finally:
        child.kill()
        child.wait()
        cgroups.thaw(IDENTITY)
        cgroups.remove(IDENTITY)
        for trace in absent:
            with suppress(OSError):
                trace.unlink() if trace.is_file() else trace.rmdir()


def furnish() -> None:
    """Make the namespaces habitable: a `/run` of their own, in memory, and a loopback interface that is up."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", IDENTITY, RUN], check=True)
    subprocess.run([service.binary(), "ip", "link", "set", "lo", "up"], check=True)


@contextmanager
def own(directory: Path) -> Iterator[Engine]:
    """An engine with everything it has in `directory` and `/run`; what it says is told when it does not start."""
    directory.mkdir()
    settings = directory / "daemon.json"
    settings.write_text(json.dumps(_settings(directory)))
    log = directory / "log"
    with log.open("wb") as output:
        dockerd = subprocess.Popen([_program("dockerd") or "dockerd", "--config-file", settings], stdout=output, stderr=subprocess.STDOUT, env=_environment())
    try:
        wait.until("the demo's engine", lambda: dockerd.poll() is not None or _answers(str(directory / "docker.sock")), seconds=_START_SECONDS)
        if dockerd.poll() is not None:
            raise DemoError(f"the demo's own engine ended with status {dockerd.returncode}; it said last:\n{_last_words(log)}")
        yield Engine(f"unix://{directory / 'docker.sock'}", ours=True)
    finally:
        dockerd.terminate()
        try:
            dockerd.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            dockerd.kill()
            dockerd.wait()


def _settings(directory: Path) -> dict[str, object]:
    """Neither bridge nor rules, and nothing that a service manager would have to do."""
    return {
        "hosts": [f"unix://{directory / 'docker.sock'}"],
        "data-root": str(directory / "data"),
        "bridge": "none",
        "iptables": False,
        "ip6tables": False,
        "cgroup-parent": f"/{IDENTITY}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
    }


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": _search_path()}


def _search_path() -> str:
    """Programs for root are not on everybody's path."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def _program(name: str) -> str | None:
    return shutil.which(name, path=_search_path())


def _missing(own: bool) -> list[str]:
    """The packages that would have to be installed."""
    missing = [_PACKAGES["dockerd"]] if own and _program("dockerd") is None else []
    try:
        service.binary()
    except LabError:
        missing.append(_PACKAGES["busybox"])
    return missing


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(5)
        channel.connect(path)
        channel.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b" 200 OK" in channel.recv(64)


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if "level=info" not in line]
    return "\n".join(lines[-10:])
