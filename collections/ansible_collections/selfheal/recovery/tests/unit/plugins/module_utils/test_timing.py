# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long is waited for what."""

from __future__ import annotations

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._domain.timing import stable_window, startup_grace, verify_timeout


@pytest.mark.parametrize(("configured", "start_period", "expected"), [(None, 0, 60), (None, 90, 90), (5, 0, 5), (5, 30, 30), (0, 0, 0)])
def test_startup_grace(configured, start_period, expected):
    assert startup_grace(configured, start_period) == expected


@pytest.mark.parametrize(
    ("configured", "interval", "expected"),
    [(None, 0, 10), (None, 30, 30), (None, 60, 60), (None, 600, 60), (20, 5, 20), (90, 5, 90), (90, 600, 90), (0, 0, 0)],
)
def test_stable_window_grows_with_the_interval_up_to_a_minute(configured, interval, expected):
    assert stable_window(configured, interval) == expected


@pytest.mark.parametrize(
    ("configured", "start_period", "interval", "expected"),
    [(None, 0, 0, 60), (None, 300, 0, 600), (30, 0, 0, 30), (30, 20, 0, 40), (None, 0, 60, 120), (None, 0, 3600, 240), (500, 0, 3600, 500)],
)
def test_verify_timeout_lets_the_engine_look_at_least_once(configured, start_period, interval, expected):
    assert verify_timeout(configured, start_period, interval) == expected
