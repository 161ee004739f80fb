# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The files by which a host differs from the shared root file system."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from . import keys
from .engines import ENGINES
from .plan import Plan

_FILES = Path(__file__).parent / "files"
_SSHD = """\
UsePAM no
UseDNS no
PasswordAuthentication no
PermitRootLogin prohibit-password
HostKey /etc/ssh/ssh_host_ed25519_key
MaxStartups 200
MaxSessions 200
"""


def write(plan: Plan, number: int) -> Path:
    """Write a host's files below its directory, in the places where the host will have them; returns the directory."""
    top = plan.directory(number) / "seed"
    _file(top / "etc/hostname", plan.host_name(number) + "\n")
    _file(top / "etc/hosts", _hosts(plan))
    _file(top / "etc/ssh/sshd_config.d/lab.conf", _SSHD)
    _file(top / "etc/ssh/ssh_host_ed25519_key", keys.host_key(plan, number).read_text(), 0o600)
    _file(top / "etc/docker/daemon.json", json.dumps(_engine(plan, number), indent=2) + "\n")
    _file(top / "root/.ssh/authorized_keys", (plan.state / "id_ed25519.pub").read_text(), 0o600)
    (top / "root").chmod(0o700)
    (top / "root/.ssh").chmod(0o700)
    (top / "usr/local/sbin").mkdir(parents=True)
    shutil.copy(_FILES / "host_pid1.sh", top / "usr/local/sbin/lab-host")
    shutil.copy(_FILES / "host_dockerd.sh", top / "usr/local/sbin/lab-dockerd")
    return top


def _engine(plan: Plan, number: int) -> dict[str, object]:
    return {
        "cgroup-parent": f"/{plan.cgroup(number)}",
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "insecure-registries": [plan.subnet],
    } | ENGINES[plan.engine(number)].settings()


def _hosts(plan: Plan) -> str:
    names = ["127.0.0.1 localhost", f"{plan.gateway} registry", *(f"{plan.address(number)} {plan.host_name(number)}" for number in plan.numbers)]
    return "\n".join(names) + "\n"


def _file(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=mode)
    path.write_text(text)
    path.chmod(mode)
