# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one root file system that all hosts of all labs share read-only: built once per recipe, in a cache directory.

A build goes to a temporary directory and is renamed when it is complete; a lock keeps two builders apart, and is inherited by the
build itself, so that a build whose starter was killed is waited for before its remains are removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from . import mounts
from .commands import Commands
from .errors import LabError
from .lock import Lock

_SUITE = "bookworm"
_PACKAGES = ("ca-certificates", "docker.io", "iproute2", "iptables", "mount", "openssh-server", "python3", "sudo")
_OPTIONS = (
    "--mode=root",
    "--variant=essential",
    '--aptopt=APT::Install-Recommends "false"',
    "--dpkgopt=force-unsafe-io",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/man/*",
    '--customize-hook=rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf "$1"/etc/machine-id',
)
MACHINE_SOURCES = (Path("/etc/apt/sources.list"), Path("/etc/apt/sources.list.d/debian.sources"))
_BUILD_SECONDS = 900


def cache_directory() -> Path:
    """`$SELFHEAL_LAB_CACHE`, else below `$XDG_CACHE_HOME`, else `/var/cache/selfheal-lab`."""
    chosen = os.environ.get("SELFHEAL_LAB_CACHE")
    if chosen:
        return Path(chosen).absolute()
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(home) / "selfheal-lab" if home else Path("/var/cache/selfheal-lab")


def path() -> Path:
    """Where the root file system of today's recipe is, or will be."""
    recipe = json.dumps([_SUITE, _PACKAGES, _OPTIONS, platform.machine()])
    return cache_directory() / f"rootfs-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def lock(*, shared: bool) -> Lock:
    """Held shared while hosts start, exclusively by whoever builds or removes."""
    return Lock(cache_directory() / "lock", shared=shared, seconds=_BUILD_SECONDS)


def ensure() -> float:
    """Build it if it is not there; returns the seconds that took."""
    if path().is_dir():
        return 0.0
    started = time.monotonic()
    with lock(shared=False) as held:
        sweep()
        if not path().is_dir():
            _build(path().with_name(f"{path().name}.part"), Commands(held.fd))
    return time.monotonic() - started


def purge() -> list[Path]:
    """Remove every cached root file system and engine; refuses while a lab runs on one. Returns what was removed."""
    if not cache_directory().is_dir():
        return []
    with lock(shared=False) as held:
        users = _users()
        if users:
            raise LabError(f"{cache_directory()}: not purged, because {len(users)} processes of a lab use it; take that lab down first (pids {users[:5]})")
        sweep()
        removed = sorted([*cache_directory().glob("rootfs-*"), *cache_directory().glob("engine-*")])
        for tree in removed:
            mounts.remove(tree)
        held.remove()
    with suppress(OSError):
        cache_directory().rmdir()
    return removed


def _build(draft: Path, commands: Commands) -> None:
    if shutil.which("mmdebstrap") is None:
        raise LabError("mmdebstrap is missing; install it: apt-get install -y mmdebstrap")
    sources = [str(source) for source in MACHINE_SOURCES if source.is_file() and _SUITE in source.read_text()]
    argv = [*_OPTIONS, f"--include={','.join(_PACKAGES)}", "--format=directory", _SUITE, str(draft), *sources]
    # a mount namespace of its own: whatever happens to the build, its mounts end with it
    commands.run(["unshare", "--mount", "mmdebstrap", "--quiet", *argv], seconds=_BUILD_SECONDS)
    draft.chmod(0o755)
    draft.rename(path())


def sweep() -> None:
    """Remove what killed builds left; to be called with the lock held exclusively, when none is under way."""
    for draft in cache_directory().glob("*.part"):
        mounts.remove(draft)


def _users() -> list[int]:
    """Processes whose root is an overlay on a cached root file system."""
    return list(_rooted_on(f"lowerdir={cache_directory()}/"))


def _rooted_on(option: str) -> Iterator[int]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            if any(option in line for line in Path(f"/proc/{name}/mountinfo").read_text(errors="replace").splitlines()):
                yield int(name)
