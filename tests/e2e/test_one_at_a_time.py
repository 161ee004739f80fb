# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One at a time: whoever acts holds a lease, and whoever lost it acts no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab

from .leases import INSTANT, LEASE_S, TAKE_OVER, admitted, lease_until, patient_restart, wait_for, wait_until
from .runs import Started
from .site import Instance, Site, now

pytestmark = pytest.mark.e2e


def test_of_two_runs_at_once_one_acts_and_the_other_says_who_does(site: Site) -> None:
    """Nobody acts without the lease (lesson 24), and what a person changes meanwhile is not lost (lesson 20)."""
    (queue,) = site.deploy("queue")
    queue.faults.set("deaf")  # it is killed after the 10 s of its stop grace
    queue.break_until_restart()
    since = now()

    both = [site.start(), site.start()]
    session = admitted(site, "default/queue")
    site.selfheal("breaker", "threshold", "5", "--scope", "default/queue", "--reason", "said while a repair was under way")
    ended = [run.finish() for run in both]

    assert [run.status for run in ended] == [0, 0], ended
    acted, other = sorted(ended, key=lambda run: run.told("queue1")[0] != "recovered")
    assert acted.told("queue1") == ("recovered", "health_check_failed")
    assert acted.seconds > 12
    assert other.told("queue1") == ("refused", "lease_held")
    assert re.fullmatch(rf"session {session} of \S+@\S+ holds default/queue until {INSTANT}", other.detail("queue1"))
    assert other.line("queue1: refused (lease_held)", session)
    assert site.restarts(since) == {"queue1": 1}
    status = site.breaker("status", "default/queue")
    assert (status["session"], status["recovery_threshold"], status["recovery_failure_count"]) == (None, 5, 0)
    assert [event["action"] for event in site.breaker("events", "default/queue")] == ["attempt_begun", "threshold", "recovered"]


@dataclass
class Frozen:
    """A run that was admitted, and stopped before it acted."""

    site: Site
    run: Started
    instance: Instance
    may_act: Path
    lease_until: datetime


@pytest.fixture(scope="module")
def frozen(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Frozen]:
    """For all tests of this module, so that its lease runs out while another test waits for another one."""
    with Site(lab, tmp_path_factory.mktemp("frozen")) as site:
        may_act = site.directory / "may-act"
        variables: dict[str, Any] = {"recovery_ladder": [patient_restart(site, may_act)], "recovery_lease": LEASE_S, "container_restart_stop_grace": 1}
        (instance,) = site.deploy("ledger", [0], **variables)
        instance.break_until_restart()
        run = site.start()
        admitted(site, "default/ledger")
        run.freeze()
        yield Frozen(site, run, instance, may_act, lease_until(site, "default/ledger"))


@pytest.mark.usefixtures("frozen")
def test_a_killed_run_is_settled_as_failed_once_by_whoever_comes_after_its_lease(site: Site) -> None:
    """Its lock ends by itself (lesson 24). What it began is counted, although it never said how it ended."""
    rung = site.rung("endless", wait_for(site.directory / "never"))
    (jobs,) = site.deploy("jobs", [1], recovery_ladder=[rung], recovery_lease=5)
    jobs.break_until_restart()
    since = now()
    run = site.start()
    session = admitted(site, "default/jobs")
    run.kill()

    early = site.recover()

    assert (early.status, early.told("jobs2")) == (0, ("refused", "lease_held"))
    assert site.breaker("history", "default/jobs") == []

    (until,) = re.findall(INSTANT, early.detail("jobs2"))
    wait_until(datetime.fromisoformat(until) + TAKE_OVER)
    late = site.recover()

    assert (late.status, late.told("jobs2")) == (0, ("refused", "cooling_down"))
    (record,) = site.breaker("history", "default/jobs")
    assert (record["session_id"], record["outcome"], record["reason"]) == (session, "failed", "unsettled")
    status = site.breaker("status", "default/jobs")
    assert (status["session"], status["recovery_failure_count"]) == (None, 1)

    later = site.recover()

    assert (later.status, later.told("jobs2")) == (0, ("refused", "cooling_down"))
    assert site.breaker("history", "default/jobs") == [record]
    assert site.breaker("status", "default/jobs")["recovery_failure_count"] == 1
    assert site.mutations(since) == {}


def test_a_frozen_run_that_wakes_up_after_its_lease_is_refused_by_the_host(frozen: Frozen) -> None:
    """A holder that wakes up after its lease does not go on acting (lesson 24)."""
    site = frozen.site
    wait_until(frozen.lease_until)
    since = now()
    frozen.may_act.touch()

    frozen.run.thaw()
    run = frozen.run.finish()

    assert run.told("ledger1") == ("refused", "lease_expired")
    (needs_s,) = re.findall(r"the lease of session \S+ ends in -\d+ s, and this action may take (\d+) s", run.detail("ledger1"))
    assert int(needs_s) < LEASE_S  # in time it would have been let in
    assert run.status == 2
    assert site.mutations(since) == {}
    assert frozen.instance.status() == 500
    status = site.breaker("status", "default/ledger")
    assert (status["session"], status["recovery_failure_count"]) == (None, 0)
    assert site.breaker("history", "default/ledger") == []
