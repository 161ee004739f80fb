# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The story. Every claim it makes is checked as it is made; the first that does not hold ends the demo."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.lab import wait

from .errors import DemoError
from .place import CHECKOUT, REPORTS
from .shell import Shell, say
from .stage import ENVIRONMENT, SERVICE, THRESHOLD, Instance, Stage

_PERSON_NEEDED = 2
_START_SECONDS = 10


@dataclass(frozen=True)
class Run:
    """A run of the monitor: its exit status and what its `result.json` says."""

    status: int
    result: dict[str, Any]
    directory: Path

    def of(self, instance: Instance) -> dict[str, Any]:
        told: dict[str, Any] = self.result["instances"][instance.name]
        return told


class Story:
    """Two instances: one is repaired, the other cannot be."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self._stage = stage
        self._sick, self._hopeless = stage.instances
        self._shell = Shell(directory, f"sqlite:///{directory / 'state' / 'state.db'}")
        self._inventory = directory / "inventory.yml"
        self._inventory.write_text(stage.inventory())

    def tell(self) -> None:
        self._deploy()
        self._repair()
        self._lose()
        command = self._refuse()
        self._look()
        self._mend(command)

    def _deploy(self) -> None:
        _heading("Two instances of a small web service")
        self._stage.deploy()
        self._expect_pages(200)

    def _repair(self) -> None:
        _heading(f"{self._sick.name} breaks, and playbooks/monitor.yml repairs it")
        self._sick.faults.set("http500", until_restart=True)
        self._expect_pages(500, self._sick)
        before = self._starts()
        run = self._monitor()
        _check("the exit status of the monitor", run.status, 0)
        _check(f"what it came to for {self._sick.name}", run.of(self._sick)["outcome"], "recovered")
        _check(f"what it came to for {self._hopeless.name}", run.of(self._hopeless)["reason"], "not_sick")
        _check("the containers started meanwhile", self._started_since(before), [self._sick.name])
        self._expect_pages(200)
        report = run.directory / "report.md"
        say(f"\nIts report, {report.relative_to(CHECKOUT)}:\n")
        say("\n".join(f"  {line}".rstrip() for line in _unescaped(report.read_text())))
        _check("whether there is the evidence that it names", Path(run.of(self._sick)["evidence"]).is_dir(), True)

    def _lose(self) -> None:
        _heading(f"{self._hopeless.name} gets a fault that no restart cures: {THRESHOLD} attempts, then the breaker opens")
        self._hopeless.faults.set("http500")
        for number in range(1, THRESHOLD + 1):
            before = self._starts()
            run = self._monitor(shown=False)
            told = run.of(self._hopeless)
            _check("the exit status of the monitor", run.status, _PERSON_NEEDED)
            _check(f"what it came to for {self._hopeless.name}", (told["outcome"], told["reason"]), ("escalated", "not_verified"))
            _check("the containers started meanwhile", self._started_since(before), [self._hopeless.name])
            breaker = run.result["breakers"][f"{ENVIRONMENT}/{SERVICE}"]
            status = "open" if number == THRESHOLD else "closed"
            _check("the failures counted, and the breaker", (breaker["recovery_failure_count"], breaker["recovery_status"]), (number, status))
            say(f"  attempt {number}: exit status {run.status}; {told['outcome']} ({told['reason']}); {number} of {THRESHOLD} failures, breaker {status}")
        say(f"  {told['detail']}")

    def _refuse(self) -> str:
        """The next run does nothing; returns the command that it names."""
        _heading("The next run refuses to act, says why, and names the command that closes the breaker")
        before = self._starts()
        run = self._monitor(shown=False)
        told = run.of(self._hopeless)
        _check("the exit status of the monitor", run.status, _PERSON_NEEDED)
        _check(f"what it came to for {self._hopeless.name}", (told["outcome"], told["reason"]), ("refused", "breaker_open"))
        _check("the containers started meanwhile", self._started_since(before), [])
        say(f"  exit status {run.status}; {told['outcome']} ({told['reason']}): {told['detail']}")
        for command in told["next"]:
            say(f"  next: {command}")
        closing = [command for command in told["next"] if command.startswith("selfheal breaker close ")]
        _check("the commands named that close a breaker", len(closing), 1)
        return str(closing[0])

    def _look(self) -> None:
        _heading("What the guard remembers")
        _check("its exit status", self._shell.run("selfheal", "breaker", "status"), 0)
        say()
        _check("its exit status", self._shell.run("selfheal", "breaker", "events"), 0)
        _check("the breaker", self._status()["recovery_status"], "open")
        actions = [event["action"] for event in self._answer("events", "--limit", "1000") if event["scope"] == self._scope(self._hopeless)]
        _check("the failures among the events", actions.count("failure"), THRESHOLD)
        _check("how often it opened, by the events", actions.count("opened"), 1)

    def _mend(self, command: str) -> None:
        _heading("A person mends the cause and closes the breaker")
        self._hopeless.faults.clear()
        _check("its exit status", self._shell.run(*shlex.split(command), "--reason", "the cause is mended"), 0)
        _check("the breaker", self._status()["status"], "closed")
        run = self._monitor(shown=False)
        _check("the exit status of the monitor", run.status, 0)
        say(f"  exit status {run.status}; {run.result['headline']}")
        self._expect_pages(200)

    def _monitor(self, shown: bool = True) -> Run:
        """Run the monitor as it stands, its output shown, or only its command line."""
        earlier = _runs()
        argv = ["ansible-playbook", "-i", str(self._inventory), "playbooks/monitor.yml"]
        hidden = ""
        if shown:
            status = self._shell.run(*argv)
        else:
            say(f"$ {shlex.join(argv)}")
            done = self._shell.quietly(*argv)
            status, hidden = done.returncode, done.stdout + done.stderr
        new = sorted(_runs() - earlier)
        if len(new) != 1:
            raise DemoError(f"expected the run to leave one report, found {len(new)} (exit status {status})\n{hidden}")
        return Run(status, json.loads((new[0] / "result.json").read_text()), new[0])

    def _expect_pages(self, wanted: int, *instances: Instance) -> None:
        """Show what the instances answer, as soon as it is what is wanted."""
        for instance in instances or self._stage.instances:
            look = partial(_page, instance, wanted)
            status, text = wait.until(f"{instance.name} to answer {wanted}", look, seconds=_START_SECONDS, interval=0.1)
            say(f"  {instance.name}  {instance.url}  answers {status}: {text}")

    def _starts(self) -> dict[str, str]:
        return {instance.name: self._stage.started_at(instance) for instance in self._stage.instances}

    def _started_since(self, before: dict[str, str]) -> list[str]:
        now = self._starts()
        return [name for name in before if now[name] != before[name]]

    def _status(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._answer("status", "--scope", f"{ENVIRONMENT}/{SERVICE}")
        return answer

    def _answer(self, command: str, *options: str) -> Any:
        """What a command of the guard says, as data."""
        done = self._shell.quietly("selfheal", "breaker", command, "--json", *options)
        _check(f"the exit status of selfheal breaker {command}", (done.returncode, done.stderr), (0, ""))
        return json.loads(done.stdout)

    @staticmethod
    def _scope(instance: Instance) -> str:
        return f"{ENVIRONMENT}/{SERVICE}/{instance.name}"


def _heading(text: str) -> None:
    say(f"\n=== {text}")


def _check(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise DemoError(f"{what}: expected {expected!r}, found {found!r}")


def _page(instance: Instance, wanted: int) -> tuple[int, str] | None:
    status, text = instance.get()
    return (status, text) if status == wanted else None


def _runs() -> set[Path]:
    return {path.parent for path in REPORTS.glob("*/result.json")}


def _unescaped(markdown: str) -> list[str]:
    """The lines of a page without the backslashes that only a renderer needs."""
    return re.sub(r"\\([^\w\s])", r"\1", markdown).splitlines()
