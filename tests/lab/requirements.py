# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a machine needs to host a lab."""

from __future__ import annotations

import os
import shutil
import subprocess

from . import mounts, rootfs
from .errors import LabError
from .service.busybox import binary

_TOOLS = {
    "docker-registry": "docker-registry",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "unshare": "util-linux",
}
_ANSWER_SECONDS = 10


def lab_unavailable() -> str | None:
    """One line saying why this machine cannot host a lab and what to do, or None when it can."""
    if os.geteuid() != 0:
        return "the lab needs root, for namespaces and mounts: run it as root"
    packages = _missing_packages()
    if packages:
        return f"the lab needs tools that are missing: apt-get install -y {' '.join(packages)}"
    if not mounts.mounted(("cgroup", "cgroup2")):
        return "the lab needs control groups, and none are mounted below /sys/fs/cgroup"
    return _namespaces_refused()


def _missing_packages() -> list[str]:
    needed = dict(_TOOLS) if rootfs.path().is_dir() else _TOOLS | {"mmdebstrap": "mmdebstrap"}
    packages = {package for tool, package in needed.items() if shutil.which(tool) is None}
    try:
        binary()
    except LabError:
        packages.add("busybox-static")
    return sorted(packages)


def _namespaces_refused() -> str | None:
    """Try what a host needs: all its namespaces, and an overlay in a tmpfs of its own."""
    script = "mount -t tmpfs lab /mnt && mkdir /mnt/l /mnt/u /mnt/w /mnt/m && mount -t overlay -o lowerdir=/mnt/l,upperdir=/mnt/u,workdir=/mnt/w lab /mnt/m"
    argv = ["unshare", "--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "/bin/sh", "-c", script]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return f"the lab needs namespaces, and unshare did not answer within {_ANSWER_SECONDS} s"
    if done.returncode != 0:
        said = " ".join(done.stderr.split())
        return f"the lab needs namespaces and overlay mounts, which this machine refuses ({said}): run it outside of a container, or in a privileged one"
    return None
