# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that read what belongs to other hosts."""

from __future__ import annotations

import pytest

pytest.importorskip("ansible.errors")

from ansible.errors import AnsibleFilterError

from ansible_collections.selfheal.recovery.plugins.filter.hosts import FilterModule, agreed, fleet, registered

HOSTS = {
    "web1": {"recovery_service": "web", "recovery_environment": "production", "probe": 1},
    "web2": {"recovery_container": "web", "recovery_state": "sqlite:///a"},
    "router": {},
}


def test_hosts_that_registered_nothing_are_left_out():
    assert registered(HOSTS, ["web1", "web2"], "probe") == {"web1": 1}


def test_fleet_is_every_host_that_names_a_service_or_a_container():
    """lesson 29: the guard's numbers come from the inventory, not from what was selected."""
    assert fleet(HOSTS) == ["production/web/web1", "default/web/web2"]


def test_one_value_for_all_is_returned():
    assert agreed(HOSTS, ["web1", "router"], "recovery_state", "") == ""
    assert agreed(HOSTS, ["web2"], "recovery_state", "") == "sqlite:///a"


def test_differing_values_are_refused():
    with pytest.raises(AnsibleFilterError, match="one recovery_state"):
        agreed(HOSTS, HOSTS, "recovery_state", "")


def test_every_filter_is_offered():
    assert set(FilterModule().filters()) == {"registered", "agreed", "fleet"}
