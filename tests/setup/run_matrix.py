# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The oldest and the newest Ansible that are promised to work: `python -m tests.setup.run_matrix [CORE ...]`, by default both.

`others` stands for those that the environment which runs this is not: the rest of `make test` runs on that one.

Each leg has an environment of its own below `.cache/matrix`, made again when what it is made of changes, and runs the unit tests, sanity, and one
recovery from end to end in it. A leg whose Python is not on this machine is skipped; on CI that is a failure.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.lab.lock import Lock

from .run_ansible_test import CHECKOUT, COLLECTION

CACHE = CHECKOUT / ".cache" / "matrix"
FIND_PYTHON = Path(__file__).with_name("find_python.sh")
INPUTS = (CHECKOUT / "pyproject.toml", COLLECTION / "galaxy.yml")
END_TO_END = "tests/e2e/test_recovery.py::test_one_sick_instance_of_three_is_restarted_once_where_it_runs"
_VENV_SECONDS, _PIP_SECONDS = 120, 600
_SANITY_TEST = re.compile(r"Running sanity test \"")


class Missing(Exception):
    """This machine lacks what a leg needs."""


@dataclass(frozen=True)
class Leg:
    """A series of ansible-core, on a Python that it supports."""

    core: str
    python: str

    @property
    def directory(self) -> Path:
        return CACHE / f"core-{self.core}-python-{self.python}"

    def program(self, name: str) -> Path:
        return self.directory / "bin" / name


LEGS = (Leg("2.19", "3.11"), Leg("2.21", "3.13"))


@dataclass(frozen=True)
class Result:
    """What a step came to: whether it passed, and how many of what."""

    passed: bool
    count: str


@dataclass(frozen=True)
class Row:
    """A line of the table at the end."""

    core: str
    python: str
    results: Mapping[str, Result]
    seconds: float
    note: str = ""

    @property
    def passed(self) -> bool:
        return not self.note and all(result.passed for result in self.results.values())

    def text(self) -> str:
        shown = [f"{step} {result.count}{'' if result.passed else ' FAILED'}" for step, result in self.results.items()]
        return f"ansible-core {self.core:9} Python {self.python:8} {self.note or '; '.join(shown)} ({self.seconds:.0f} s)"


def main(arguments: list[str]) -> int:
    """Run the legs one after the other; 1 when any failed."""
    named = {leg.core: [leg] for leg in LEGS} | {"others": [leg for leg in LEGS if leg != own()]}
    unknown = sorted(set(arguments) - named.keys())
    if unknown:
        print(f"usage: python -m tests.setup.run_matrix [{'|'.join(filter(None, named))} ...]; found {' '.join(unknown)}", file=sys.stderr)
        return 2
    chosen = [leg for argument in arguments for leg in named[argument]] or LEGS
    rows = [run(leg) for leg in chosen]
    print("\n=== matrix", *(row.text() for row in rows), sep="\n", flush=True)
    needed = os.environ.get("CI") == "true"
    return int(any(not row.passed and (needed or not row.note.startswith("skipped")) for row in rows))


def own() -> Leg:
    """What this process itself runs on."""
    from ansible.release import __version__

    return Leg(".".join(__version__.split(".")[:2]), "{}.{}".format(*sys.version_info))


def run(leg: Leg) -> Row:
    """One leg, every step of it whatever became of the one before."""
    print(f"\n=== ansible-core {leg.core} on Python {leg.python}", flush=True)
    began = time.monotonic()
    try:
        prepare(leg)
    except Missing as reason:
        return Row(leg.core, leg.python, {}, 0, f"skipped: {reason}")
    except subprocess.SubprocessError as error:
        return Row(leg.core, leg.python, {}, time.monotonic() - began, f"FAILED: no environment: {error}")
    results = {step: take(leg) for step, take in STEPS.items()}
    return Row(*versions(leg), results, time.monotonic() - began)


def prepare(leg: Leg) -> None:
    """Make the leg's environment unless it is there. Raises Missing without its Python, SubprocessError when pip fails or does not end."""
    found = subprocess.run(["sh", FIND_PYTHON, leg.python], capture_output=True, text=True, timeout=60, check=False)
    if found.returncode != 0:
        raise Missing(found.stderr.strip())
    python = found.stdout.strip()
    recipe = hashlib.sha256(b"\0".join([python.encode(), *(path.read_bytes() for path in INPUTS)])).hexdigest()
    stamp = leg.directory / ".made-of"
    with Lock(leg.directory.with_name(f"{leg.directory.name}.lock"), seconds=_VENV_SECONDS + _PIP_SECONDS) as held:
        if stamp.exists() and stamp.read_text() == recipe and leg.program("ansible-playbook").exists():
            return
        make(leg, python, held.fd)
        stamp.write_text(recipe)


def make(leg: Leg, python: str, lock: int) -> None:
    """The leg's environment, afresh. What makes it keeps the lock, by its standard input, even when this process is killed."""
    print(f"making {leg.directory} with {python}", flush=True)
    subprocess.run([python, "-m", "venv", "--clear", leg.directory], check=True, stdin=lock, timeout=_VENV_SECONDS)
    pip: list[str | Path] = [leg.program("python"), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    pip += [f"ansible-core=={leg.core}.*", "--editable", f"{CHECKOUT}[postgresql,test]"]
    subprocess.run(pip, check=True, stdin=lock, timeout=_PIP_SECONDS)


def versions(leg: Leg) -> tuple[str, str]:
    """The exact ansible-core and Python of a leg."""
    ask = "import platform; from ansible.release import __version__; print(__version__, platform.python_version())"
    core, python = subprocess.run([leg.program("python"), "-c", ask], capture_output=True, text=True, check=True, timeout=60).stdout.split()
    return core, python


def unit(leg: Leg) -> Result:
    return pytest(leg, "--numprocesses=2", str(COLLECTION / "tests" / "unit"))


def end_to_end(leg: Leg) -> Result:
    """By this environment's own `ansible-playbook`."""
    return pytest(leg, END_TO_END)


def pytest(leg: Leg, *words: str) -> Result:
    with tempfile.TemporaryDirectory(prefix="selfheal-matrix-") as directory:
        report = Path(directory, "report.xml")
        command: list[str | Path] = [leg.program("python"), "-m", "pytest", "-q", f"--junitxml={report}", *words]
        done = subprocess.run(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, check=False)
        if not report.exists():
            return Result(False, "0")
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    tests, skipped = (sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "skipped"))
    return Result(done.returncode == 0, f"{tests - skipped} ({skipped} skipped)" if skipped else str(tests))


def sanity(leg: Leg) -> Result:
    command: list[str | Path] = [leg.program("python"), "-m", "tests.setup.run_ansible_test", "sanity"]
    count = 0
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        for line in running.stdout or ():
            print(line, end="", flush=True)
            count += bool(_SANITY_TEST.match(line))
    return Result(running.returncode == 0 and count > 0, str(count))


STEPS: dict[str, Callable[[Leg], Result]] = {"unit": unit, "sanity": sanity, "end to end": end_to_end}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
