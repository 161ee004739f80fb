# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What people would use instead: `community.docker`, out of the `ansible` package, and the `requests` that it needs on every host."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.e2e.runs import CHECKOUT
from tests.lab import Lab

CACHE = CHECKOUT / ".cache" / "bench"
_NEEDED = ("community/docker", "community/library_inventory_filtering_v1")
_ON_HOSTS = ("requests", "urllib3", "idna", "certifi", "charset_normalizer")


def collections() -> Path:
    """A directory of collections with `community.docker` in it, fetched once."""
    place = CACHE / "collections"
    if not place.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--dest", str(CACHE)]
        subprocess.run([*pip, "ansible"], check=True)
        wheel = max(CACHE.glob("ansible-*.whl"))
        draft = CACHE / "collections.new"
        shutil.rmtree(draft, ignore_errors=True)
        with zipfile.ZipFile(wheel) as archive:
            wanted = [name for name in archive.namelist() if name.startswith(tuple(f"ansible_collections/{each}/" for each in _NEEDED))]
            archive.extractall(draft, wanted)
        wheel.unlink()
        draft.rename(place)
    return place


def version() -> str:
    """The version of `community.docker` that is measured."""
    manifest = collections() / "ansible_collections" / "community" / "docker" / "MANIFEST.json"
    found: str = json.loads(manifest.read_text())["collection_info"]["version"]
    return found


def equip(lab: Lab) -> None:
    """Give every host the library that `community.docker` imports there."""
    for host in lab.hosts:
        (site,) = [Path(line) for line in host.run(["/usr/bin/python3", "-c", "import site; print(site.getsitepackages()[0])"]).stdout.split()]
        place = host.path("/") / site.relative_to("/")
        place.mkdir(parents=True, exist_ok=True)
        for name in _ON_HOSTS:
            found = importlib.util.find_spec(name)
            if found is None or found.origin is None:
                raise RuntimeError(f"expected the package {name} beside the Docker SDK in this environment: make venv")
            shutil.copytree(Path(found.origin).parent, place / name, dirs_exist_ok=True)
        host.run(["/usr/bin/python3", "-c", "import requests"])
