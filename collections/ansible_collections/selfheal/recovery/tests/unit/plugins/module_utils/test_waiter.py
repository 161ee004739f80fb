# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waiting, with time that passes only when somebody sleeps."""

from __future__ import annotations

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.prober import Measurement
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.waiter import Waiter, until_stable
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.verdict import Check, Health
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeClock


def measurement(verdict="healthy", started="1", remedy="ladder"):
    checks = {
        "healthy": (Check("http", "http", "healthy", critical=True),),
        "degraded": (Check("http", "http", "soft", critical=True, remedy=remedy),),
        "unhealthy": (Check("http", "http", "failed", critical=True, remedy=remedy),),
        "unknown": (Check("docker", "docker", "unmeasured"),),
    }[verdict]
    return Measurement(Health("", "", "production/web/web1", "", verdict, checks), {"container": {"id": "x", "started_at": started}})


class Script:
    """Measurements by second, each taking ``takes`` seconds."""

    def __init__(self, *phases, takes=0.0):
        self.clock = FakeClock(0)
        self.phases = phases
        self.takes = takes
        self.looks = 0

    def __call__(self):
        self.looks += 1
        self.clock.at += self.takes
        return [measured for since, measured in self.phases if self.clock.at >= since][-1]

    def wait(self, stable_for=10, timeout=60, interval=1):
        return until_stable(self, stable_for, timeout, interval, self.clock)


class TestWaiter:
    def test_ends_as_soon_as_it_is_so(self):
        clock = FakeClock(0)
        waited = Waiter(10, 1, clock).until(lambda: clock.at, lambda at: at >= 3)
        assert (waited.reached, waited.seconds, waited.last) == (True, 3, 3)

    def test_last_state_is_reported_when_time_is_up(self):
        clock = FakeClock(0)
        waited = Waiter(5, 2, clock).until(lambda: f"at {clock.at}", lambda _state: False)
        assert (waited.reached, waited.last) == (False, "at 4")
        assert waited.seconds <= 5

    def test_one_look_is_the_least(self):
        waited = Waiter(0, 1, FakeClock()).until(lambda: "seen", lambda _state: False)
        assert waited.last == "seen"

    def test_what_is_not_worth_waiting_for_is_not_waited_for(self):
        clock = FakeClock(0)
        assert Waiter(100, 1, clock).until(lambda: 0, lambda _state: False, lambda _state: clock.at < 2).seconds == 2

    def test_error_of_a_look_ends_it(self):
        with pytest.raises(ZeroDivisionError):
            Waiter(100, 1, FakeClock()).until(lambda: 1 // 0, bool)


class TestStable:
    def test_healthy_for_the_window(self):
        waited = Script((0, measurement())).wait()
        assert (waited.reached, waited.seconds) == (True, 10)

    def test_window_begins_when_it_becomes_healthy(self):
        waited = Script((0, measurement("unhealthy")), (7, measurement())).wait()
        assert (waited.reached, waited.seconds) == (True, 17)

    def test_window_that_began_in_time_is_filled(self):
        waited = Script((0, measurement("unknown")), (59.5, measurement())).wait(interval=0.5)
        assert (waited.reached, waited.seconds) == (True, 69.5)

    def test_becoming_healthy_too_late_is_too_late(self):
        waited = Script((0, measurement("unhealthy")), (61, measurement())).wait()
        assert (waited.reached, waited.last.health.overall_status) == (False, "unhealthy")
        assert waited.seconds <= 61

    @pytest.mark.parametrize("verdict", ["unhealthy", "unknown", "degraded"])
    def test_break_starts_the_window_again(self, verdict):
        waited = Script((0, measurement()), (9, measurement(verdict)), (10, measurement())).wait()
        assert (waited.reached, waited.seconds) == (True, 20)

    def test_restart_between_two_looks_is_a_break(self):
        waited = Script((0, measurement(started="1")), (6, measurement(started="2"))).wait()
        assert (waited.reached, waited.seconds) == (True, 16)

    def test_break_after_the_time_is_the_end(self):
        waited = Script((0, measurement("unhealthy")), (55, measurement()), (62, measurement("unhealthy")), (63, measurement())).wait()
        assert (waited.reached, waited.seconds) == (False, 62)

    def test_flapping_that_no_look_catches_ends(self):
        phases = [(second, measurement(started=str(second))) for second in range(200)]
        waited = Script(*phases).wait()
        assert not waited.reached
        assert waited.seconds <= 71

    def test_flapping_ends_in_time(self):
        phases = [(second, measurement("unhealthy" if second % 5 == 4 else "healthy")) for second in range(500)]
        waited = Script(*phases).wait()
        assert not waited.reached
        assert waited.seconds <= 71

    def test_what_only_a_person_can_cure_does_not_count(self):
        assert Script((0, measurement("unhealthy", remedy="report"))).wait().reached

    def test_slow_measurements_count(self):
        script = Script((0, measurement()), takes=4)
        waited = script.wait()
        assert waited.reached
        assert script.looks == 3

    def test_no_window_is_one_look(self):
        script = Script((0, measurement()))
        assert script.wait(stable_for=0).seconds == 0
        assert script.looks == 1

    def test_never_healthy_ends_at_the_time(self):
        waited = Script((0, measurement("unhealthy"))).wait(timeout=5)
        assert (waited.reached, waited.seconds) == (False, 5)
