# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A sick instance is repaired, once, and everything that tells about it agrees."""

from __future__ import annotations

import pytest

from .site import Site, now

pytestmark = pytest.mark.e2e


def test_one_sick_instance_of_three_is_restarted_once_where_it_runs(site: Site) -> None:
    """Lesson 27: recovered means healthy for a stable window, and still to be proven afterwards."""
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
