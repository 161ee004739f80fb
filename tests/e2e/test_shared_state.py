# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Several control nodes on one PostgreSQL: one repairs, the others say who; and nobody acts on state that is out of reach."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host, Lab
from tests.postgresql.server import Server, missing

from .leases import INSTANT, LEASE_S, TAKE_OVER, admitted, lease_until, patient_restart, wait_for, wait_until
from .runs import Run, Started
from .site import Instance, Site, now

pytestmark = [pytest.mark.e2e, pytest.mark.postgresql]


@pytest.fixture(scope="module")
def server(lab: Lab) -> Iterator[Server]:
    """A server on the lab's network."""
    why = missing()
    if why and os.environ.get("CI") == "true":
        pytest.fail(why)
    if why:
        pytest.skip(why)
    with Server(lab.enter([]), listen=lab.plan.gateway) as server:
        yield server


@pytest.fixture
def shared(site: Site, server: Server) -> Site:
    """A site whose state is a database of its own there."""
    name = f"state{os.urandom(4).hex()}"
    server.sql(f"CREATE DATABASE {name}")
    site.state = server.url(name, host=site.lab.plan.gateway)
    return site


def test_of_two_control_nodes_one_repairs_and_the_other_says_who_does(shared: Site) -> None:
    """One store for both: one lease, and so one repair (lessons 24 and 51)."""
    (queue,) = shared.deploy("queue")
    queue.faults.set("deaf")  # it is killed after the 10 s of its stop grace
    queue.break_until_restart()
    since = now()

    both = [shared.start(controller=number) for number in (1, 2)]
    session = admitted(shared, "default/queue")
    ended = [run.finish() for run in both]

    assert [run.status for run in ended] == [0, 0], ended
    acted, other = sorted(ended, key=lambda run: run.told("queue1")[0] != "recovered")
    assert acted.told("queue1") == ("recovered", "health_check_failed")
    assert other.told("queue1") == ("refused", "lease_held")
    assert re.fullmatch(rf"session {session} of \S+@\S+ holds default/queue until {INSTANT}", other.detail("queue1"))
    assert shared.restarts(since) == {"queue1": 1}
    assert [event["action"] for event in shared.breaker("events", "default/queue")] == ["attempt_begun", "recovered"]


def test_a_control_node_that_froze_past_its_lease_is_refused_by_the_host_and_the_other_one_repairs(shared: Site) -> None:
    """A holder that wakes up after its lease does not go on acting (lesson 24), whoever came meanwhile from elsewhere."""
    ledger, may_act, frozen = _held(shared)
    until = lease_until(shared, "default/ledger")
    frozen.freeze()
    since = now()

    early = shared.start(controller=2).finish()
    assert early.told("ledger1") == ("refused", "lease_held")

    wait_until(until)
    may_act.touch()
    frozen.thaw()
    late = frozen.finish()

    assert (late.status, late.told("ledger1")) == (2, ("refused", "lease_expired"))
    assert shared.mutations(since) == {}

    wait_until(until + TAKE_OVER)
    then = shared.start(controller=2).finish()

    assert (then.status, then.told("ledger1")) == (0, ("recovered", "health_check_failed"))
    assert shared.restarts(since) == {"ledger1": 1}
    assert ledger.status() == 200


def test_server_that_stops_during_a_repair_ends_the_run_unread_and_the_next_one_settles_it(shared: Site, server: Server) -> None:
    """State that cannot be written is never taken for success (lesson 19): the attempt stays counted until it is settled as failed."""
    rung = shared.rung("waiting", wait_for(shared.directory / "may-act"))
    (jobs,) = shared.deploy("jobs", recovery_ladder=[rung], recovery_lease=20)
    jobs.break_until_restart()
    since = now()
    run = shared.start(controller=1)
    session = admitted(shared, "default/jobs")
    until = lease_until(shared, "default/jobs")

    server.stop()
    try:
        (shared.directory / "may-act").touch()
        ended = run.finish()
        blind = shared.start(controller=2).finish()
    finally:
        server.start()

    assert (ended.status, ended.told("jobs1")[1]) == (2, "state_unreadable"), ended.output
    _refused_unread(blind, "jobs1")

    wait_until(until + TAKE_OVER)
    late = shared.start(controller=2).finish()

    assert (late.status, late.told("jobs1")) == (0, ("refused", "cooling_down"))
    (record,) = shared.breaker("history", "default/jobs")
    assert (record["session_id"], record["outcome"], record["reason"]) == (session, "failed", "unsettled")
    assert shared.breaker("status", "default/jobs")["recovery_failure_count"] == 1
    assert shared.mutations(since) == {}


def test_state_host_without_the_libraries_names_its_interpreter_and_the_command_and_with_them_decides(shared: Site) -> None:
    """Where decisions are taken may be elsewhere: the module brings all of the store along but the libraries."""
    (cart,) = shared.deploy("cart", recovery_state_host="cart1", recovery_state=shared.state)
    cart.break_until_restart()
    since = now()

    lacking = shared.start(controller=1).finish()

    assert (lacking.status, lacking.told("cart1")) == (2, ("refused", "state_unreadable"))
    python = cart.host.run(["python3", "-c", "import sys; print(sys.executable)"]).stdout.strip()
    assert f"expected SQLAlchemy 2 and psycopg 3 for {python}" in lacking.detail("cart1")
    assert f"{python} -m pip install 'psycopg[binary]" in lacking.detail("cart1")
    assert shared.mutations(since) == {}

    with _libraries(cart.host):
        run = shared.start(controller=1).finish()

    assert (run.status, run.told("cart1")) == (0, ("recovered", "health_check_failed")), run.output
    assert shared.restarts(since) == {"cart1": 1}


@contextmanager
def _libraries(host: Host) -> Iterator[None]:
    """What `pip install` would bring to a host that has no network, from here."""
    version = host.run(["python3", "-c", "import sys; print(*sys.version_info[:2], sep='.')"]).stdout.strip()
    if version != f"{sys.version_info[0]}.{sys.version_info[1]}":
        pytest.skip(f"the host's Python is {version}, and the libraries here are of another one")
    place = host.path(f"/usr/local/lib/python{version}/dist-packages")
    there = set(place.iterdir())
    here = Path(sysconfig.get_path("platlib"))
    for path in (path for name in ("psycopg", "sqlalchemy", "greenlet", "typing_extensions") for path in here.glob(f"{name}*")):
        shutil.copytree(path, place / path.name) if path.is_dir() else shutil.copy(path, place)
    try:
        yield
    finally:
        for path in set(place.iterdir()) - there:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _refused_unread(run: Run, name: str) -> None:
    assert (run.status, run.told(name)) == (2, ("refused", "state_unreadable"))
    assert "expected to reach the server of postgresql://***@" in run.line(f"{name}: refused (state_unreadable)")
    assert run.result["sessions"] == {}


def _held(site: Site) -> tuple[Instance, Path, Started]:
    """A sick instance, and a run on the first control node that was admitted and waits for a file before it acts."""
    may_act = site.directory / "may-act"
    variables: dict[str, Any] = {"recovery_ladder": [patient_restart(site, may_act)], "recovery_lease": LEASE_S, "container_restart_stop_grace": 1}
    (instance,) = site.deploy("ledger", **variables)
    instance.break_until_restart()
    run = site.start(controller=1)
    admitted(site, "default/ledger")
    return instance, may_act, run
