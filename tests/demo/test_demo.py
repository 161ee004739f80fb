# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make demo` as a person runs it: its exit status, its last words, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import cgroups

from . import engine
from .errors import Unavailable
from .place import CHECKOUT, IDENTITY, REPORTS

pytestmark = pytest.mark.e2e

_MAKE = ("make", "--no-print-directory", "demo")
_SECONDS = 120
# The settings of the make that runs these tests are not those of the demo.
_NOT_FOR_IT = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")


class Traces:
    """What a demo that was started with `environment` has left on this machine."""

    def __init__(self, found: engine.Engine | None) -> None:
        self._found = found
        self._mark = f"SELFHEAL_DEMO_TEST={uuid.uuid4()}"
        self._networks = self._ask("network", "ls", "--quiet")

    @property
    def environment(self) -> dict[str, str]:
        name, _, value = self._mark.partition("=")
        return {**{key: text for key, text in os.environ.items() if key not in _NOT_FOR_IT}, name: value}

    def left(self) -> list[str]:
        """Everything, in words; the report is meant to stay."""
        places = [Path(tempfile.gettempdir()) / IDENTITY, engine.RUN / IDENTITY]
        return [
            *(f"directory {place}" for place in places if os.path.lexists(place)),
            *(f"control group {place}" for place in cgroups.directories(IDENTITY)),
            *(f"process {pid}" for pid in self._processes()),
            *(f"container {name}" for name in self._ask("ps", "--all", "--quiet", "--filter", f"label=selfheal.demo={IDENTITY}")),
            *(f"image {name}" for name in self._ask("images", "--quiet", IDENTITY)),
            *(f"network {name}" for name in sorted(set(self._ask("network", "ls", "--quiet")) - set(self._networks))),
        ]

    def _processes(self) -> Iterator[str]:
        """Whatever descends from the demo has its environment."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self._mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    yield process.name
            except OSError:
                continue

    def _ask(self, *argv: str) -> list[str]:
        if self._found is None:
            return []
        done = subprocess.run(["docker", "--host", self._found.url, *argv], capture_output=True, text=True, check=True, timeout=30)
        return done.stdout.split()


@pytest.fixture
def traces() -> Traces:
    try:
        found = engine.find()
        engine.provide(own=found is None)
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))
    return Traces(found)


@pytest.mark.parametrize("home", ["as it is", "of a user without one"])
def test_demo_shows_what_it_promises_and_leaves_only_the_report(traces: Traces, home: str, tmp_path: Path) -> None:
    environment = traces.environment | ({} if home == "as it is" else {"HOME": str(tmp_path / "not there"), "XDG_STATE_HOME": "nonsense"})
    done = subprocess.run(_MAKE, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    last = done.stdout.splitlines()[-2:]
    assert re.fullmatch(r"demo: done in \d+ s, and every claim above was checked", last[0])
    assert re.fullmatch(r"demo: the reports, and the evidence they name, are in reports/demo until the next demo", last[1])
    shown = re.findall(r"^Its report, (\S+):$", done.stdout, re.MULTILINE)
    assert [(CHECKOUT / path).is_file() for path in shown] == [True]
    assert len(list(REPORTS.glob("*/report.md"))) == 6
    assert traces.left() == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_demo_that_is_killed_leaves_nothing_that_the_next_does_not_clear(traces: Traces, ending: signal.Signals) -> None:
    with _UnderWay(traces) as demo:
        os.killpg(demo.pid, signal.SIGKILL)
    with _UnderWay(traces) as demo:
        os.killpg(demo.pid, ending)
    assert traces.left() == []


def test_second_demo_of_a_checkout_is_refused(traces: Traces) -> None:
    with _UnderWay(traces) as demo:
        second = subprocess.run(_MAKE, cwd=CHECKOUT, env=traces.environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
        os.killpg(demo.pid, signal.SIGTERM)
    assert second.returncode == 2
    assert second.stdout == ""
    assert "demo: another demo of this checkout is running" in second.stderr


def test_engine_that_is_not_of_this_machine_is_refused_in_one_line() -> None:
    environment = {**os.environ, "DOCKER_HOST": "tcp://192.0.2.1:2376"}
    done = subprocess.run(_MAKE, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(said) == 1
    assert said[0].startswith("demo: expected DOCKER_HOST to name an engine of this machine")


def test_without_an_engine_only_root_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match="start one, or run make demo as root"):
        engine.provide(own=True)


class _UnderWay:
    """A demo that has deployed its service; ended at the end at the latest."""

    def __init__(self, traces: Traces) -> None:
        self._environment = traces.environment

    def __enter__(self) -> subprocess.Popen[str]:
        self._demo = subprocess.Popen(_MAKE, cwd=CHECKOUT, env=self._environment, stdout=subprocess.PIPE, text=True, start_new_session=True)
        assert self._demo.stdout
        told = []
        for line in self._demo.stdout:
            told.append(line)
            if line.startswith("$ ansible-playbook"):
                return self._demo
        raise AssertionError("".join(told))

    def __exit__(self, *_: object) -> None:
        self._demo.communicate(timeout=_SECONDS)
