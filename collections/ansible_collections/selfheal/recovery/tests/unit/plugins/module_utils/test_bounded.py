# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""In bounded time a service that does not stay well has opened its breaker or reached a person; one that is well is never touched.

Simulated over days with a monitor every few minutes, for the shipped defaults and for every allowed setting.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

hypothesis = pytest.importorskip("hypothesis")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from ansible_collections.selfheal.recovery.plugins.module_utils._domain.inputs import Inputs  # noqa: E402
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.policy import DAY, HOUR, MINUTE, Policy  # noqa: E402
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.paper import Paper, always, never  # noqa: E402

pytestmark = pytest.mark.property

CYCLE = 5 * MINUTE
BOUND = 7 * DAY

policies = st.builds(
    Policy,
    recovery_threshold=st.integers(1, 1000),
    ladder=st.sampled_from([("container_restart",), ("container_restart", "cache_clear", "network_reset"), ("cache_clear",), ("acme.ops.fix",) * 6]),
    proven_after_s=st.integers(MINUTE, DAY),
    backoff_s=st.lists(st.integers(0, 3 * HOUR), min_size=1, max_size=6).map(tuple),
    daily_budget=st.integers(1, 24),
    lease_s=st.integers(5, HOUR),
    session_deadline_s=st.integers(MINUTE, 4 * HOUR),
)


def until_bounded(paper, verdict_of, cure, step_s=60, bound=BOUND):
    """Monitor until the breaker is open or a person is called; seconds that took, or None when the bound passed."""
    start = paper.now
    while (paper.now - start).total_seconds() < bound:
        answer = paper.monitor(verdict_of(paper), cure, step_s=step_s)
        if answer.outcome == "escalated" or paper.instance().recovery.is_open:
            return (paper.now - start).total_seconds()
        paper.wait(CYCLE)
    return None


def ill_again(period):
    """A service that is well for ``period`` seconds after each recovery, then sick until the next one."""

    def verdict_of(paper):
        records = paper.instance().records
        waiting = paper.instance().provisional
        last = waiting.recovered_at if waiting else records[-1].settled_at if records else ""
        if last and (paper.now - _moment(last)).total_seconds() < period:
            return "healthy"
        return "unhealthy"

    return verdict_of


def _moment(text):
    from ansible_collections.selfheal.recovery.plugins.module_utils._domain.times import from_text

    return from_text(text)


def test_defaults_open_the_breaker_of_a_hopeless_service_within_two_hours():
    """lesson 25."""
    paper = Paper()
    while not paper.instance().recovery.is_open:
        paper.monitor("unhealthy", never)
        paper.wait(CYCLE)
        assert (paper.now - paper_start()).total_seconds() < 2 * HOUR


def paper_start():
    from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.paper import BEGINNING

    return BEGINNING


@settings(max_examples=60, deadline=None)
@given(policy=policies, threshold=st.integers(1, 5), step_s=st.integers(1, 30 * MINUTE))
def test_hopeless_service_opens_its_breaker_at_its_threshold(policy, threshold, step_s):
    """lesson 25, for every allowed setting: by the threshold, or by the daily budget before it."""
    paper = Paper(replace(policy, recovery_threshold=threshold))
    start = paper.now
    while not paper.instance().recovery.is_open:
        paper.monitor("unhealthy", never, step_s=step_s)
        paper.wait(CYCLE)
        assert (paper.now - start).total_seconds() < BOUND
    assert len(paper.instance().records) == min(threshold, policy.daily_budget)


@settings(max_examples=60, deadline=None)
@given(policy=policies, step_s=st.integers(1, 30 * MINUTE))
def test_hopeless_service_reaches_a_person_with_its_first_failed_attempt(policy, step_s):
    assert until_bounded(Paper(policy), lambda _paper: "unhealthy", never, step_s) is not None


@settings(max_examples=60, deadline=None)
@given(policy=policies, period=st.integers(1, 4 * HOUR))
def test_service_that_falls_ill_again_opens_its_breaker_or_reaches_a_person(policy, period):
    """lessons 27 and 43, with any period up to four hours."""
    assert until_bounded(Paper(policy), ill_again(period), always) is not None


@settings(max_examples=40, deadline=None)
@given(period=st.integers(1, 4 * HOUR))
def test_defaults_stop_a_service_that_falls_ill_again_within_two_days(period):
    assert until_bounded(Paper(), ill_again(period), always, bound=2 * DAY) is not None


@settings(max_examples=60, deadline=None)
@given(policy=policies, killed_after=st.integers(0, 2), step_s=st.integers(1, 60))
def test_runs_that_are_always_killed_open_the_breaker_too(policy, killed_after, step_s):
    """Nobody ever settles: whoever comes after the lease does, and counts."""
    paper = Paper(policy)
    start = paper.now
    while not paper.instance().recovery.is_open and not called(paper):
        begun = paper.begin(paper.see("web1", "unhealthy"))
        if begun["web1"].outcome == "escalated":
            return
        paper.wait(max(CYCLE, step_s))
        assert (paper.now - start).total_seconds() < 400 * DAY
        if paper.runs > 5000:
            break
    assert paper.instance().recovery.failure_count > 0


def called(paper):
    """Enough failures to show that the count moves on: with a threshold of 1000 the end is only a matter of runs."""
    return paper.instance().recovery.failure_count >= 5


@settings(max_examples=150, deadline=None)
@given(
    policy=policies,
    reason=st.sampled_from(["health_check_failed", "service_unavailable", "functionality_failed", "persistent_degradation"]),
    claimed=st.sampled_from(["healthy", "degraded", "unhealthy", "unknown"]),
    skip=st.booleans(),
    before=st.lists(st.sampled_from(["healthy", "unhealthy", "unknown", "degraded"]), max_size=6),
)
def test_healthy_service_is_never_touched(policy, reason, claimed, skip, before):
    """Whatever was claimed, and whatever went before."""
    paper = Paper(policy)
    for verdict in before:
        paper.monitor(verdict, never)
        paper.wait(CYCLE)
    inputs = Inputs(health_status=claimed, recovery_reason=reason, skip_recovery_actions=skip)
    answer = paper.monitor("healthy", never, inputs=inputs)
    assert (answer.action, answer.reason, answer.session_id) == ("none", "not_sick", "")
