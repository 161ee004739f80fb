# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The circuit breaker: what counts, when it opens, and who closes it."""

from __future__ import annotations

from typing import Any

import pytest

from .site import Site, now

pytestmark = pytest.mark.e2e

_HASTY: dict[str, Any] = {"recovery_backoff": [0], "recovery_verify_timeout": 2}


def test_a_hopeless_instance_opens_its_own_breaker_and_a_person_closes_it(site: Site) -> None:
    """The write that reaches the threshold opens it (lesson 21), a refused run adds nothing (lesson 22), a new container does not forget
    (lesson 26), and the other instances are served meanwhile (lesson 44).
    """
    api = site.deploy("api", 4, recovery_threshold=2, **_HASTY)
    hopeless, sibling = api[0], api[1]
    hopeless.break_for_good()
    since = now()

    first = site.recover()
    assert (first.status, first.told("api1")) == (2, ("escalated", "not_verified"))
    assert site.breaker("status", "default/api/api1")["recovery_failure_count"] == 1

    hopeless.host.run(["docker", "rm", "--force", "api"])
    hopeless.create()
    hopeless.wait_for(500)
    second = site.recover()

    assert (second.status, second.told("api1")) == (2, ("escalated", "not_verified"))
    assert "The recovery breaker is open" in second.detail("api1")
    session = second.result["instances"]["api1"]["session_id"]
    last = site.breaker("events", "default/api")[-2:]
    assert [(event["action"], event["failure_count"], event["session_id"]) for event in last] == [("failure", 2, session), ("opened", 2, session)]
    assert last[0]["timestamp"] == last[1]["timestamp"]
    assert site.mutations(since)["api1"].count("restart") == 2

    sibling.break_until_restart()
    since = now()
    third = site.recover()

    assert (third.status, third.told("api1")) == (2, ("refused", "breaker_open"))
    assert third.told("api2") == ("recovered", "health_check_failed")
    assert site.restarts(since) == {"api2": 1}
    status = site.breaker("status", "default/api/api1")
    assert (status["status"], status["recovery_failure_count"]) == ("open", 2)

    site.type(third.line("next: selfheal breaker close").removeprefix("next: "))

    status = site.breaker("status", "default/api/api1")
    assert (status["status"], status["recovery_failure_count"]) == ("closed", 0)


def test_each_service_is_judged_by_its_own_threshold(site: Site) -> None:
    (strict,) = site.deploy("strict", [0], recovery_threshold=1, **_HASTY)
    (patient,) = site.deploy("patient", [0], recovery_threshold=3, **_HASTY)
    for each in (strict, patient):
        each.break_for_good()
    since = now()

    run = site.recover()

    assert run.status == 2
    assert site.restarts(since) == {"strict1": 1, "patient1": 1}
    found = {name: site.breaker("status", f"default/{name}") for name in ("strict", "patient")}
    assert {name: (each["status"], each["recovery_failure_count"], each["recovery_threshold"]) for name, each in found.items()} == {
        "strict": ("open", 1, 1),
        "patient": ("closed", 1, 3),
    }
    assert {name: each["status"] for name, each in run.result["breakers"].items()} == {"default/strict": "open", "default/patient": "closed"}


def test_a_service_that_relapses_after_each_repair_opens_the_breaker(site: Site) -> None:
    """Healthy for a moment resets nothing (lesson 27): success is provisional until it is proven (lesson 43)."""
    (flaky,) = site.deploy("flaky", recovery_threshold=2, **_HASTY)
    flaky.faults.set("relapse", 6)
    flaky.wait_for(500)
    since = now()

    for count in (0, 1):
        run = site.recover()
        assert (run.status, run.told("flaky1")) == (0, ("recovered", "health_check_failed")), run.output
        status = site.breaker("status", "default/flaky")
        assert (status["status"], status["recovery_failure_count"]) == ("closed", count)
        flaky.wait_for(500)

    assert site.restarts(since) == {"flaky1": 2}
    since = now()
    run = site.recover()

    assert (run.status, run.told("flaky1")) == (2, ("refused", "breaker_open"))
    assert site.mutations(since) == {}
    status = site.breaker("status", "default/flaky")
    assert (status["status"], status["recovery_failure_count"], status["trigger_reason"]) == ("open", 2, "relapsed")
    assert [record["outcome"] for record in site.breaker("history", "default/flaky")] == ["relapsed", "relapsed"]
