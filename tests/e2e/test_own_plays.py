# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The role in a play of one's own keeps the guard of the shipped playbooks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .site import Site, now

pytestmark = pytest.mark.e2e


def play(site: Site, role_variables: dict[str, Any], **keywords: Any) -> Path:
    """A play of one's own with the role, as JSON, which is YAML."""
    role = {"role": "selfheal.recovery.recovery", "vars": role_variables}
    path = site.directory / "play.yml"
    path.write_text(json.dumps([{"name": "Our own", "hosts": "recovery", "gather_facts": False, "roles": [role], **keywords}]))
    return path


def test_serial_would_decide_once_for_each_batch_and_is_refused(site: Site) -> None:
    """Lesson 29."""
    batch = site.deploy("batch", 2)
    batch[0].break_until_restart()
    since = now()

    run = site.recover(playbook=play(site, {}, serial=1))

    assert run.status == 2, run.output
    assert run.line("Run this play without serial")
    assert site.mutations(since) == {}


def test_the_state_a_role_is_given_is_the_state_that_is_asked(site: Site) -> None:
    """Lesson 51."""
    (given,) = site.deploy("given")
    given.break_until_restart()
    shared = site.store("shared")

    run = site.recover(playbook=play(site, {"recovery_state": shared}))

    assert run.status == 0, run.output
    assert site.breaker("history", "default/given", RECOVERY_STATE=shared)[0]["outcome"] == "recovered"
    assert site.breaker("history", "default/given") == []


def test_the_report_still_says_why_it_was_sick_after_a_second_rung(site: Site) -> None:
    last = site.rung("last", {"ansible.builtin.debug": {"msg": "tried"}, "name": "Try the last thing"})
    (why,) = site.deploy("why", recovery_ladder=["container_restart", last], recovery_verify_timeout=2)
    why.break_for_good()

    run = site.recover()

    assert run.status == 2, run.output
    assert "answered 500" in run.result["instances"]["why1"]["admitted_because"]
    assert "selfheal breaker history --scope default/why/why1" in run.output


def test_the_breaker_playbook_asks_the_state_that_the_inventory_names(site: Site) -> None:
    """Lesson 19: another state would have said closed."""
    elsewhere = site.store("elsewhere")
    site.deploy("named", start=False, recovery_state=elsewhere)
    site.selfheal("breaker", "open", "--scope", "default/named", "--reason", "look", RECOVERY_STATE=elsewhere)

    run = site.recover("-e", "breaker_scope=default/named", playbook="playbooks/breaker.yml")

    assert run.status == 0, run.output
    assert run.line("recovery_status: open")
