# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Speed is a feature that is counted: module calls of a run, on hosts and on the control node."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .runs import CHECKOUT
from .site import Site

pytestmark = pytest.mark.e2e


def calls(site: Site, *options: str, playbook: str = "recover.yml", status: int = 0) -> dict[str, int]:
    """The module calls of a run that ends with this status."""
    counts = Path(site.directory, "calls.json")
    counting = {"ANSIBLE_CALLBACK_PLUGINS": str(CHECKOUT / "tests/bench/callback_plugins"), "ANSIBLE_CALLBACKS_ENABLED": "module_calls"}
    run = site.recover(*options, playbook=playbook, MODULE_CALLS=str(counts), **counting)
    assert run.status == status, run.output
    found: dict[str, int] = json.loads(counts.read_text())
    return found


def test_healthy_sweep_asks_each_host_once_and_the_gate_once(site: Site) -> None:
    site.deploy("cheap", 3)
    assert calls(site, playbook="playbooks/monitor.yml") == {"there": 3, "here": 2}


def test_recovery_by_the_first_rung_makes_two_calls_on_the_sick_host(site: Site) -> None:
    sick, *_well = site.deploy("brief", 2)
    sick.break_until_restart()
    assert calls(site) == {"there": 3, "here": 3}
