# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Engines that a host may run instead of the one in the shared root file system: those of newer Debian suites, laid over it.

An engine is fetched once, with an apt whose sources, state and cache are its own: nothing of the machine's apt is changed, and only its settings
(a proxy, say) and the address of its mirror are used. Signatures are checked with Debian's archive keyring. `purge` forgets what was fetched, so
that the next lab has what the suite has then.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import mounts, rootfs
from .commands import Commands
from .errors import LabError

STOCK = "stock"

# What makes an engine of its suite. It runs with the root file system's own runc and init, which newer suites link against a newer C library.
_PACKAGES = ("containerd", "docker-cli", "docker.io")
_PLACES = {"etc", "usr"}  # anything else would hide a symbolic link of the root file system
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_DEBIAN = "http://deb.debian.org/debian"
_MIRROR = re.compile(r"https?://\S+?/debian/?(?=\s|$)", re.MULTILINE)
_FETCH_SECONDS = 300

# `#clear`: what the machine does after an update of its own lists does not concern these.
_APT = """\
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State "{directory}/state";
Dir::State::status "/dev/null";
Dir::Cache "{directory}/cache";
APT::Default-Release "";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
"""


@dataclass(frozen=True)
class Engine:
    """Which Debian suite an engine is of (none: the root file system's own), and where it keeps images."""

    suite: str = ""
    containerd_store: bool = False

    def settings(self) -> dict[str, object]:
        """What `daemon.json` says about it."""
        return {"features": {"containerd-snapshotter": True}} if self.containerd_store else {"storage-driver": "overlay2"}


ENGINES = {
    STOCK: Engine(),
    "trixie": Engine("trixie"),
    "sid": Engine("sid"),
    "sid-containerd": Engine("sid", containerd_store=True),
}


def check_known(names: Iterable[str]) -> None:
    """LabError unless all of these are engines that there are."""
    for name in names:
        if name not in ENGINES:
            raise LabError(f"engine {name!r}: expected one of {', '.join(ENGINES)}")


def layers(name: str) -> str:
    """The directories, topmost first and with colons between, that make the root of a host with this engine."""
    engine = ENGINES[name]
    return f"{_path(engine.suite)}:{rootfs.path()}" if engine.suite else str(rootfs.path())


def ensure(names: Iterable[str]) -> float:
    """Fetch what is not there yet; returns the seconds that took. Raises LabError when it is not to be had."""
    suites = {ENGINES[name].suite for name in names} - {""}
    started = time.monotonic()
    for suite in sorted(suites):
        if not _path(suite).is_dir():
            with rootfs.lock(shared=False) as held:
                rootfs.sweep()
                if not _path(suite).is_dir():
                    _fetch(suite, Commands(held.fd))
    return time.monotonic() - started


def _path(suite: str) -> Path:
    recipe = json.dumps([suite, _PACKAGES, platform.machine()])
    return rootfs.cache_directory() / f"engine-{suite}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"


def _fetch(suite: str, commands: Commands) -> None:
    """Into a draft that is renamed when it is complete."""
    missing = [package for tool, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg")) if shutil.which(tool) is None]
    missing += [] if _KEYRING.is_file() else ["debian-archive-keyring"]
    if missing:
        raise LabError(f"the engine of Debian {suite} needs {' '.join(missing)} to be fetched: install that, or leave this engine out")
    draft = _path(suite).with_name(f"{_path(suite).name}.part")
    root = draft / "root"
    root.mkdir(parents=True)
    try:
        for package in _download(suite, draft / "apt", commands):
            commands.run(["dpkg-deb", "--extract", str(package), str(root)])
        strange = {entry.name for entry in root.iterdir()} - _PLACES
        if strange:
            raise LabError(f"the engine of Debian {suite} has files in {', '.join(sorted(strange))}, expected in {' and '.join(sorted(_PLACES))} only")
        root.rename(_path(suite))
    finally:
        mounts.remove(draft)


def _download(suite: str, directory: Path, commands: Commands) -> list[Path]:
    for name in ("state/lists/partial", "cache/archives/partial", "debs"):
        (directory / name).mkdir(parents=True)
    (directory / "apt.conf").write_text(_APT.format(directory=directory))
    (directory / "sources.list").write_text(f"deb [signed-by={_KEYRING}] {_mirror()} {suite} main\n")
    apt = ["env", "-C", str(directory / "debs"), "apt-get", "--quiet", "--quiet", "--config-file", str(directory / "apt.conf")]
    try:
        commands.run([*apt, "update"], seconds=_FETCH_SECONDS)
        commands.run([*apt, "download", *_PACKAGES], seconds=_FETCH_SECONDS)
    except LabError as error:
        raise LabError(f"the engine of Debian {suite} could not be fetched from {_mirror()}: {' '.join(str(error).split())}") from error
    return sorted((directory / "debs").glob("*.deb"))


def _mirror() -> str:
    """The mirror of Debian that this machine uses, else Debian's own."""
    for source in rootfs.MACHINE_SOURCES:
        found = _MIRROR.search(source.read_text()) if source.is_file() else None
        if found:
            return found[0].rstrip("/")
    return _DEBIAN
