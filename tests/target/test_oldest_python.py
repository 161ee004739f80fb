# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules on a host whose Python is the oldest that is promised to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab import Host
from tests.setup.run_ansible_test import CHECKOUT, OLDEST_TARGET

from .target import PORT, Run, Target

pytestmark = pytest.mark.lab

_PARTS = """
import json, os, sys, sysconfig
library = os.path.join(sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("INSTSONAME"))
print(json.dumps([os.path.realpath(sys.executable), sysconfig.get_path("stdlib"), library]))
"""


@pytest.fixture(scope="module")
def oldest() -> str:
    """That Python's path on this machine. Skips when there is none; on CI that is a failure."""
    found = subprocess.run(["sh", CHECKOUT / "tests" / "setup" / "find_python.sh", OLDEST_TARGET], capture_output=True, text=True, timeout=60, check=False)
    if found.returncode != 0 and os.environ.get("CI") == "true":
        pytest.fail(found.stderr, pytrace=False)
    if found.returncode != 0:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


def install(host: Host, python: str) -> str:
    """Give a host this machine's `python`, in the same place, where it finds its libraries; returns its path there."""
    told = subprocess.run([python, "-c", _PARTS], capture_output=True, text=True, timeout=60, check=True).stdout
    program, modules, library = map(Path, json.loads(told))
    for part in (program, library):
        if part.is_file():
            place = host.path(str(part))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(part, place)
    unneeded = shutil.ignore_patterns("__pycache__", "test", "site-packages", "config-*", "ensurepip", "idlelib", "tkinter")
    shutil.copytree(modules, host.path(str(modules)), ignore=unneeded, dirs_exist_ok=True)
    return str(program)


def test_modules_work_under_the_oldest_python(target: Target, oldest: str) -> None:
    python = install(target.host, oldest)
    assert target.host.run([python, "--version"]).stdout.startswith(f"Python {OLDEST_TARGET}.")
    here = Run(python=python)
    probes = [
        {"kind": "docker"},
        {"kind": "container", "stats": True},
        {"kind": "http", "url": f"http://localhost:{PORT}/", "attempts": 1, "attempt_timeout": 2},
        {"kind": "tcp", "host": "localhost", "port": PORT},
        {"kind": "command", "argv": [python, "-c", "import sys; sys.exit(sys.version_info[:2] != (3, 9))"]},
    ]
    target.start()
    measured = target.measure(here, probes=probes)
    assert (measured["health"]["overall_status"], len(measured.checks)) == ("healthy", 5), measured.output
    target.faults.set("http500", until_restart=True)
    target.wait_for(500)
    step = target.restart(here)
    assert (step["outcome"], step["reason"], step["mutated"]) == ("recovered", "verified", True), step.output
    assert step["evidence"]["captured"] is True
    assert target.status() == 200
