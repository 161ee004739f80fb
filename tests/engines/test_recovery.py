# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A whole recovery, from probe to report, on every engine."""

from __future__ import annotations

import pytest

from tests.e2e.site import Site, now
from tests.lab import service

pytestmark = [pytest.mark.lab, pytest.mark.e2e]


def test_sick_service_is_repaired_once_with_evidence_and_report(site: Site, index: int) -> None:
    (web,) = site.deploy("web", [index], start=False)
    web.create(healthcheck=service.healthcheck(interval=0.5, retries=1))
    web.wait_for(200)
    web.break_until_restart()
    since = now()

    run = site.recover()

    assert run.status == 0, run.output
    assert run.told(web.name) == ("recovered", "health_check_failed")
    assert site.restarts(since) == {web.name: 1}
    assert web.status() == 200
    assert run.result["instances"][web.name]["verdict_after"] == "healthy"
    (record,) = site.breaker("history", "default/web")
    assert (record["outcome"], record["rung"]) == ("recovered", "container_restart")
    kept = web.host.run(["find", "/var/lib/selfheal", "-name", "*.log", "-o", "-name", "inspect.json"]).stdout
    assert {path.rpartition("/")[2] for path in kept.split()} == {"stdout.log", "stderr.log", "inspect.json"}
    since = now()

    again = site.recover()

    assert (again.status, again.told(web.name)) == (0, ("none", "not_sick"))
    assert site.mutations(since) == {}
