# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Build the packages from a copy of what is under version control, so that nothing is left in the checkout and nothing in it is shipped by accident."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTION = Path("collections/ansible_collections/selfheal/recovery")
_SECONDS = 300


def run(argv: Sequence[str | Path], cwd: Path, **environment: str) -> str:
    """What a command prints; AssertionError with all of that when it fails."""
    # None of the variables by which this run's own Python or Ansible is directed.
    env = {"PATH": "/usr/bin:/bin", "HOME": str(cwd), "LC_ALL": "C.UTF-8", "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | environment
    done = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, argv))}: status {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def listed() -> list[str]:
    """The files under version control, and those that are about to be."""
    words = ["git", "-c", f"safe.directory={CHECKOUT}", "ls-files", "--cached", "--others", "--exclude-standard"]
    return [name for name in run(words, CHECKOUT).splitlines() if (CHECKOUT / name).exists()]


def copy(directory: Path) -> Path:
    """A copy of the checkout with the droppings that tests and editors leave in a collection."""
    for name in listed():
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, place)
    for dropping in ("tests/output/report.xml", "plugins/modules/__pycache__/x.cpython-311.pyc", ".pytest_cache/x", "changelogs/.plugin-cache.yaml"):
        place = directory / COLLECTION / dropping
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("not to be shipped\n")
    return directory


def wheel(source: Path, directory: Path) -> Path:
    """Build the wheel."""
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", directory], source)
    (built,) = directory.glob("*.whl")
    return built


def artifact(source: Path, directory: Path) -> Path:
    """Build what Galaxy would be given."""
    run([Path(sys.prefix, "bin", "ansible-galaxy"), "collection", "build", "--output-path", directory, source / COLLECTION], source)
    (built,) = directory.glob("*.tar.gz")
    return built
