# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The checkout itself: what people start, what Ansible reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COLLECTIONS = CHECKOUT / "collections"
FRONT_DOORS = sorted(path.name for path in (CHECKOUT / "scripts").glob("[!_]*.py"))


def run(*argv: str | Path, cwd: Path = CHECKOUT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)


def base_python() -> str:
    """The Python beneath this environment, which knows nothing of the project."""
    return str(getattr(sys, "_base_executable", sys.executable))


@pytest.mark.parametrize("door", FRONT_DOORS)
def test_front_door_finds_the_environment_from_anywhere(door: str, tmp_path: Path) -> None:
    done = run(base_python(), CHECKOUT / "scripts" / door, "--help", cwd=tmp_path, PYTHONPATH="")
    assert done.returncode == 0, done.stderr
    assert "usage: selfheal" in done.stdout


@pytest.mark.parametrize("door", FRONT_DOORS)
def test_front_door_without_environment_says_what_to_do(door: str, tmp_path: Path) -> None:
    shutil.copytree(CHECKOUT / "scripts", tmp_path / "scripts")
    done = run(base_python(), tmp_path / "scripts" / door, "--help", cwd=tmp_path, PYTHONPATH="")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "make venv" in done.stderr
    assert done.stderr.count("\n") == 1


def test_help_lists_every_target() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert phony
    listed = [line.split()[0] for line in run("make", "--no-print-directory", "help").stdout.splitlines()]
    assert sorted(listed) == sorted(phony[1].split())


def test_ansible_reads_this_collection_and_no_other_copy() -> None:
    done = run(Path(sys.prefix, "bin", "ansible-config"), "dump", "--only-changed", "--format", "json", ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"))
    assert f'"{COLLECTIONS}"' in done.stdout
    assert done.stdout.count("/collections") == 1


def test_requirements_install_without_network() -> None:
    done = run(Path(sys.prefix, "bin", "ansible-galaxy"), "collection", "install", "-r", "requirements.yml", ANSIBLE_GALAXY_SERVER="http://127.0.0.1:9/")
    assert done.returncode == 0, done.stderr


def test_every_test_that_the_lessons_name_exists() -> None:
    sources = [
        path.read_text()
        for part in ("collections", "tests")
        for path in (CHECKOUT / part).rglob("*.py")
        if path.name.startswith("test_") or path.name == "store_conformance.py"
    ]
    defined = set(re.findall(r"def (test_\w+)\(", "\n".join(sources)))
    named = set(re.findall(r"`(test_\w+)`", (CHECKOUT / "docs" / "lessons.md").read_text()))
    assert len(named) > 20
    assert named <= defined, sorted(named - defined)
