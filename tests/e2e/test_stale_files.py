# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What earlier runs wrote is for people: a run goes by what it measures itself (lesson 33)."""

from __future__ import annotations

import json

import pytest

from .site import Site, now

pytestmark = pytest.mark.e2e


def test_a_result_file_of_an_earlier_run_is_never_taken_for_a_measurement(site: Site) -> None:
    """Neither the healthy one of an hour ago, while the service is sick, nor a sick one, while it is healthy."""
    (news,) = site.deploy("news")
    first = site.recover()
    assert first.told("news1") == ("none", "not_sick")
    news.break_until_restart()
    since = now()

    assert site.recover(RECOVERY_REPORTS=str(first.reports)).status == 0
    assert site.restarts(since) == {"news1": 1}

    for path in first.reports.glob("*/result.json"):
        stale = json.loads(path.read_text())
        stale["instances"]["news1"] |= {"outcome": "escalated", "reason": "unknown", "verdict_before": "unhealthy", "verdict_after": "unhealthy"}
        path.write_text(json.dumps(stale))
    since = now()
    run = site.recover(RECOVERY_REPORTS=str(first.reports))
    assert run.status == 0, run.output
    assert site.mutations(since) == {}
    newest = max(first.reports.glob("*/result.json"), key=lambda path: path.stat().st_mtime)
    assert json.loads(newest.read_text())["instances"]["news1"]["reason"] == "not_sick"
