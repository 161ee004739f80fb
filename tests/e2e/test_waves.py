# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instances of one service are repaired one after the other while others serve."""

from __future__ import annotations

import pytest

from .site import Site, now

pytestmark = pytest.mark.e2e


def test_the_second_sick_instance_waits_until_the_first_is_verified(site: Site) -> None:
    wave = site.deploy("wave", 4)
    for sick in wave[1:3]:
        sick.break_until_restart()
    since = now()

    run = site.recover()

    assert run.status == 0, run.output
    assert site.restarts(since) == {"wave2": 1, "wave3": 1}
    assert run.result["outcomes"] == {"none": 2, "recovered": 2}
    assert len(run.result["sessions"]) == 1
    (first,) = (event["timeNano"] for event in wave[1].host.events(since) if event["Action"] == "restart")
    (second,) = (event["timeNano"] for event in wave[2].host.events(since) if event["Action"] == "kill" and event["Actor"]["Attributes"]["signal"] == "15")
    assert second - first >= 2e9, "the stable window of the first comes before the second"


def test_a_hopeless_instance_does_not_keep_its_sibling_from_its_turn(site: Site) -> None:
    """Lesson 44: nor does the ladder stop at its first rung."""
    last = site.rung("last", {"ansible.builtin.debug": {"msg": "tried"}, "name": "Try the last thing"})
    turn = site.deploy("turn", 4, recovery_ladder=["container_restart", last], recovery_verify_timeout=3)
    turn[0].break_for_good()
    turn[1].break_until_restart()
    since = now()

    run = site.recover()

    assert run.status == 2, run.output
    assert site.restarts(since) == {"turn1": 1, "turn2": 1}
    assert run.told("turn1")[0] == "escalated"
    assert run.told("turn2") == ("recovered", "health_check_failed")
    status = site.breaker("status", "default/turn")
    assert (status["instances"]["turn1"]["failure_count"], status["instances"]["turn2"]["failure_count"]) == (1, 0)
    assert "Try the last thing" in run.output
