# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What cannot be measured is unknown: it holds nobody up, counts nowhere, and is nobody's excuse to act."""

from __future__ import annotations

import pytest

from .site import Site, now

pytestmark = pytest.mark.e2e

_DEADLINE_S = 60


@pytest.mark.parametrize(
    ("silenced", "told"),
    [
        ("engine_frozen", ("escalated", "unknown")),
        ("link_cut", ("unreachable", "unreachable")),
    ],
)
def test_a_silent_host_is_unknown_in_time_and_the_others_are_served(site: Site, silenced: str, told: tuple[str, str]) -> None:
    """Nothing hangs (lesson 34), and a host that cannot be reached goes into the books too (lesson 29). `unknown` is not healthy, and does not count."""
    shop = site.deploy("store", 4)
    (lonely,) = site.deploy("lonely", [0])
    shop[1].break_until_restart()
    since = now()

    with getattr(site, silenced)(lonely.host):
        run = site.recover()

    assert run.status == 2
    assert run.seconds < _DEADLINE_S
    for name in ("store1", "lonely1"):
        assert run.told(name) == told
        assert run.result["instances"][name]["verdict_before"] == "unknown"
    assert run.told("store2") == ("recovered", "health_check_failed")
    assert run.told("store3") == run.told("store4") == ("none", "not_sick")
    assert site.restarts(since) == {"store2": 1}
    assert [each.status() for each in (*shop, lonely)] == [200] * 5
    for name, instance in (("default/store", "store1"), ("default/lonely", "lonely1")):
        status = site.breaker("status", name)
        assert (status["status"], status["recovery_failure_count"], status["session"]) == ("closed", 0, None)
        assert status["instances"][instance]["verdict"] == "unknown"
