# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The product as somebody installed it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.lab import Lab

from .build import CHECKOUT, COLLECTION, run

ANSIBLE_CORE = "ansible-core>=2.19"
BARE_PATH = "/usr/bin:/bin"
RUN_SECONDS = 150
_INSTALLED = COLLECTION.relative_to("collections")

# Its own /var/lib, so that the defaults of root are used as they are and the machine's state is left alone; and no standard input.
_APART = 'mount --bind "$1" /var/lib && cd "$2" && shift 2 && umask 022 && exec "$@" <&-'


@dataclass(frozen=True)
class Installed:
    """Where its programs and the collection are, what makes the `selfheal` command, and the home directory that it was installed for."""

    programs: Path
    collection: Path
    selfheal: tuple[str, ...]
    home: Path

    def run(
        self, lab: Lab, argv: Sequence[str | Path], var_lib: Path, cwd: Path | None = None, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A command as cron starts it: hardly any environment, no terminal, no input; in the home directory unless `cwd` says otherwise."""
        bare = {"PATH": BARE_PATH, "HOME": str(self.home), "SHELL": "/bin/sh", "LOGNAME": "root"} | dict(variables or {})
        apart = ["unshare", "--mount", "/bin/sh", "-c", _APART, "sh", var_lib, cwd or self.home]
        return lab.run([*map(str, apart), *map(str, argv)], env=bare, start_new_session=True, timeout=RUN_SECONDS)


def from_wheel(wheel: Path, directory: Path) -> Installed:
    """In an environment of its own, with everything that it needs."""
    programs = _environment(directory, str(wheel))
    (packages,) = programs.parent.glob("lib/python3.*/site-packages")
    return Installed(programs, packages / _INSTALLED, (str(programs / "selfheal"),), _home(directory))


def from_artifact(artifact: Path, directory: Path) -> Installed:
    """Beside an ansible-core that has nothing else, in the empty place where Ansible looks first; without a network."""
    programs, home = _environment(directory, ANSIBLE_CORE), _home(directory)
    collection = home / ".ansible" / "collections" / _INSTALLED
    nowhere = {"ANSIBLE_GALAXY_SERVER": "http://127.0.0.1:9/"}
    run([programs / "ansible-galaxy", "collection", "install", "--offline", "-p", home / ".ansible" / "collections", artifact], home, **nowhere)
    return Installed(programs, collection, (str(programs / "python3"), str(collection)), home)


def from_checkout(directory: Path) -> Installed:
    """This checkout, with the environment that `make venv` made."""
    programs = Path(sys.prefix, "bin")
    return Installed(programs, CHECKOUT / COLLECTION, (str(programs / "selfheal"),), _home(directory))


def _environment(directory: Path, package: str) -> Path:
    """The programs of a new environment with one package in it, taken from the cache of packages if they are there."""
    python = run(["sh", CHECKOUT / "tests" / "setup" / "find_python.sh"], directory, PATH=os.environ["PATH"], HOME=os.environ["HOME"]).strip()
    run([python, "-m", "venv", directory / "venv"], directory)
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_") or name.lower().endswith("_proxy")}
    run([directory / "venv" / "bin" / "python", "-m", "pip", "install", "-qq", package], directory, **(pip | {"HOME": os.environ["HOME"]}))
    return directory / "venv" / "bin"


def _home(directory: Path) -> Path:
    home = directory / "home"
    home.mkdir()
    return home
