# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sick instance is repaired, once, and everything that tells about it agrees."""

from __future__ import annotations

import pytest

from tests.lab import wait

from .site import Site, now

pytestmark = pytest.mark.e2e


def test_one_sick_instance_of_three_is_restarted_once_where_it_runs(site: Site) -> None:
    """Recovered means healthy for a stable window, and still to be proven afterwards (lesson 27)."""
    web = site.deploy("shop", 3)
    del web[1].variables["recovery_probes"]  # the shipped probes
    web[1].variables["recovery_url"] = f"http://localhost:{web[1].port}"
    site.write_inventory()
    web[1].break_until_restart()
    since = now()

    run = site.recover()

    assert run.status == 0, run.output
    assert site.restarts(since) == {"shop2": 1}
    assert [each.status() for each in web] == [200, 200, 200]
    assert run.result["outcomes"] == {"none": 2, "recovered": 1}
    assert not run.result["needs_person"]
    repaired = run.result["instances"]["shop2"]
    assert (repaired["outcome"], repaired["reason"], repaired["rung"]) == ("recovered", "health_check_failed", "container_restart")
    assert (repaired["verdict_before"], repaired["verdict_after"]) == ("unhealthy", "healthy")
    assert repaired["waited_s"] >= 2
    assert "answered 500" in repaired["admitted_because"]
    assert run.told("shop1") == run.told("shop3") == ("none", "not_sick")

    session = repaired["session_id"]
    status = site.breaker("status", "default/shop")
    assert (status["status"], status["session"], status["recovery_failure_count"]) == ("closed", None, 0)
    assert status["instances"]["shop2"]["proving_since"]
    (record,) = site.breaker("history", "default/shop")
    assert (record["session_id"], record["scope"], record["outcome"], record["rung"]) == (session, "default/shop/shop2", "recovered", "container_restart")
    events = site.breaker("events", "default/shop")
    assert [(event["action"], event["scope"], event["session_id"]) for event in events] == [
        ("attempt_begun", "default/shop/shop2", session),
        ("recovered", "default/shop/shop2", session),
    ]

    since = now()
    again = site.recover()

    assert again.status == 0
    assert site.mutations(since) == {}
    assert again.result["outcomes"] == {"none": 3}
    assert again.result["sessions"] == {}
    assert site.breaker("events", "default/shop") == events


def test_check_prints_the_plan_and_changes_nothing(site: Site) -> None:
    (plan,) = site.deploy("plan")
    plan.break_until_restart()
    site.selfheal("breaker", "threshold", "4", "--scope", "default/plan", "--reason", "so that there is a state")
    before = site.selfheal("breaker", "status", "--json"), site.breaker("events", "default/plan")
    since = now()

    run = site.recover("--check")

    assert run.status == 0, run.output
    assert run.line("plan1:", "would run container_restart", "answered 500")
    assert site.mutations(since) == {}
    assert plan.status() == 500
    assert (site.selfheal("breaker", "status", "--json"), site.breaker("events", "default/plan")) == before
    assert not run.reported
    assert not plan.host.path("/var/lib/selfheal").exists()


def test_each_state_of_a_container_has_its_own_answer(site: Site) -> None:
    """A missing container is not a failed repair, and does not count (lesson 22); a paused one was paused by a person."""
    (crashed,) = site.deploy("crashed", [0], start=False)
    crashed.faults.set("crash")
    crashed.create(restart_policy="no")
    wait.until("it to crash", lambda: crashed.state() == "exited", seconds=10)
    crashed.faults.clear("crash")
    (lost,) = site.deploy("lost", [1], start=False)
    (paused,) = site.deploy("paused", [2])
    paused.host.docker("pause", "paused")
    since = now()

    run = site.recover()

    assert run.status == 2
    assert run.told("crashed1") == ("recovered", "health_check_failed")
    assert crashed.status() == 200
    assert run.told("lost2") == ("escalated", "container_missing")
    assert run.told("paused3") == ("escalated", "container_paused")
    assert paused.state() == "paused"
    assert list(site.mutations(since)) == ["crashed1"]
    assert {each: site.breaker("status", f"default/{each}")["recovery_failure_count"] for each in ("crashed", "lost", "paused")} == {
        "crashed": 0,
        "lost": 0,
        "paused": 0,
    }
    assert site.breaker("history", "default/lost") == []
    assert lost.container not in crashed.host.docker("ps", "--all", "--format", "{{.Names}}")


def test_a_rung_that_breaks_off_ends_neither_the_run_nor_the_others(site: Site) -> None:
    """A site's own rung, a role of another collection, whose task fails. Those of its service that wait for their turn still have it."""
    breaks = {"ansible.builtin.fail": {"msg": "this rung is broken"}, "when": "inventory_hostname == 'forum1'"}
    rung = site.rung("brittle", breaks, {"ansible.builtin.include_role": {"name": "selfheal.recovery.container_restart"}})
    forum = site.deploy("forum", 4, recovery_ladder=[rung])
    for each in forum[:2]:
        each.break_until_restart()
    since = now()

    run = site.recover()

    assert run.status == 2
    assert run.told("forum1") == ("escalated", "no_answer")
    assert "this rung is broken" in run.detail("forum1")
    assert run.told("forum2") == ("recovered", "health_check_failed")
    assert site.restarts(since) == {"forum2": 1}
    status = site.breaker("status", "default/forum")
    assert status["session"] is None
    assert {name: each["failure_count"] for name, each in status["instances"].items()} == {"forum1": 1, "forum2": 0, "forum3": 0, "forum4": 0}
    assert [(record["scope"], record["outcome"]) for record in site.breaker("history", "default/forum")] == [
        ("default/forum/forum1", "failed"),
        ("default/forum/forum2", "recovered"),
    ]


def test_the_next_rung_is_taken_after_one_that_does_not_exist(site: Site) -> None:
    (desk,) = site.deploy("desk", recovery_ladder=["site.rungs.misspelt", "container_restart"])
    desk.break_until_restart()
    since = now()

    run = site.recover()

    assert run.told("desk1") == ("recovered", "health_check_failed"), run.output
    assert run.result["instances"]["desk1"]["rung"] == "container_restart"
    assert site.restarts(since) == {"desk1": 1}
    assert run.status == 0
