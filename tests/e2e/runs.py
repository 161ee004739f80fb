# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A run of a playbook or of a command, as a person would start it, inside the lab's control namespace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tests.lab import Lab, LabError

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.prefix, "bin")
RUN_SECONDS = 150

# What a person's own environment would change about a run.
_OURS = ("ANSIBLE_", "CIRCUIT_BREAKER", "DEPLOYMENT_CIRCUIT_BREAKER", "GITHUB_", "RECOVERY_", "STORAGE_PATH", "TAILPASTE_URL")


def environment(**given: str) -> dict[str, str]:
    """This process's environment without anything that is about recovery, and what is given."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)} | given


@dataclass(frozen=True)
class Run:
    """A run that ended: its exit status, all it printed, the seconds it took, and where its report should be."""

    status: int
    output: str
    seconds: float
    reports: Path

    @cached_property
    def result(self) -> dict[str, Any]:
        """The run's `result.json`."""
        (path,) = self.reports.glob("*/result.json")
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    @property
    def reported(self) -> bool:
        return self.reports.exists()

    def told(self, name: str) -> tuple[str, str]:
        """What the run came to for an instance, and why."""
        instance = self.result["instances"][name]
        return instance["outcome"], instance["reason"]

    def detail(self, name: str) -> str:
        return str(self.result["instances"][name]["detail"])

    def line(self, *words: str) -> str:
        """The first printed line with all these words in it."""
        for line in self.output.splitlines():
            if all(word in line for word in words):
                return line.strip()
        raise AssertionError(f"no line says {' ... '.join(words)}:\n{self.output}")


class Started:
    """A run under way."""

    def __init__(self, lab: Lab, argv: Sequence[str | Path], cwd: Path, env: dict[str, str], log: Path, reports: Path, controller: int = 0) -> None:
        self._began = time.monotonic()
        self._log = log
        self._reports = reports
        with log.open("w") as stream:
            streams = {"stdin": subprocess.DEVNULL, "stdout": stream, "stderr": subprocess.STDOUT}
            self._process = lab.popen(list(map(str, argv)), controller=controller, cwd=cwd, env=env, **streams)

    @property
    def output(self) -> str:
        return self._log.read_text()

    def finish(self) -> Run:
        """Wait for its end; one that does not end is killed, and fails the test with what it printed."""
        try:
            status = self._process.wait(RUN_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(f"a run did not end within {RUN_SECONDS} s:\n{self.output}") from None
        return Run(status, self.output, time.monotonic() - self._began, self._reports)

    def kill(self) -> None:
        """`kill -9` of the run and everything it started: nothing it would still do happens."""
        self._signal_all(signal.SIGKILL)
        self._process.wait(10)

    def freeze(self) -> None:
        """Stop it and everything it started in mid-sentence, as a machine that is suspended does."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def close(self) -> None:
        if self._process.poll() is None:
            self.kill()

    def _signal_all(self, number: signal.Signals) -> None:
        """Ansible's workers are sessions of their own, so a process group would not reach them. Parents first: they start no more children."""
        done: set[int] = set()
        while todo := [pid for pid in (self._process.pid, *_descendants(self._process.pid)) if pid not in done]:
            for pid in todo:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            done.update(todo)


def _descendants(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]
