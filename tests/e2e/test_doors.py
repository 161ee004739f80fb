# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The doors: everything that people, cron and workflows start, and what they hand over."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from .runs import CHECKOUT
from .site import Site, now

pytestmark = pytest.mark.e2e


def test_inputs_are_data(site: Site) -> None:
    """Handed over in the environment, as workflows and webhooks do; `manually_forced` restarts what is healthy, once."""
    site.deploy("wiki")
    trap = site.directory / "executed"
    session_id = f"{{{{ lookup('pipe', 'touch {trap}') }}}}"
    page = site.directory / "summary.md"
    page.write_text("# What the workflow wrote before\n")
    since = now()

    run = site.recover(RECOVERY_REASON="manually_forced", RECOVERY_MONITORING_SESSION_ID=session_id, GITHUB_STEP_SUMMARY=str(page))

    assert run.status == 0, run.output
    assert run.told("wiki1") == ("recovered", "manually_forced")
    assert run.result["instances"]["wiki1"]["verdict_before"] == "healthy"
    assert site.restarts(since) == {"wiki1": 1}
    assert run.result["inputs"]["monitoring_session_id"] == session_id
    assert not trap.exists()
    shown = page.read_text()
    assert shown.startswith("# What the workflow wrote before\n# Recovery recovery")
    assert "| wiki1 | healthy | recovered |" in shown

    since = now()
    bad = site.recover(RECOVERY_REASON="because")

    assert bad.status != 0
    assert bad.line("recovery_reason", "manually_forced", "because")
    assert site.mutations(since) == {}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere"
    path.mkdir()
    return path


def test_playbooks_run_from_the_checkout_and_from_elsewhere(site: Site, elsewhere: Path) -> None:
    (blog,) = site.deploy("blog")
    blog.break_until_restart()
    since = now()

    monitor = site.recover(playbook="playbooks/monitor.yml")

    assert (monitor.status, monitor.told("blog1")) == (0, ("recovered", "health_check_failed")), monitor.output
    assert monitor.result["inputs"]["triggered_by"] == "schedule"
    assert site.restarts(since) == {"blog1": 1}

    opened = site.recover("-e", "breaker_state=open", "-e", "breaker_scope=default/blog", "-e", "breaker_reason=maintenance", playbook="playbooks/breaker.yml")

    assert opened.status == 0, opened.output
    assert site.breaker("status", "default/blog")["trigger_reason"] == "maintenance"

    blog.break_until_restart()
    plain = site.recover(cwd=elsewhere, ANSIBLE_CONFIG="", ANSIBLE_COLLECTIONS_PATH="")

    assert (plain.status, plain.told("blog1")) == (2, ("refused", "breaker_open")), plain.output


def test_scripts_run_from_the_checkout_and_from_elsewhere(site: Site, elsewhere: Path) -> None:
    (news,) = site.deploy("news")
    python = getattr(sys, "_base_executable", sys.executable)  # the machine's own, which knows nothing of the project
    site.selfheal("breaker", "open", "--scope", "default/news", "--reason", "to have something to show")

    for directory in (CHECKOUT, elsewhere):
        shown = site.command(python, CHECKOUT / "scripts" / "circuit_breaker.py", "status", cwd=directory)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.startswith("default/news: open")

        health = site.command(python, CHECKOUT / "scripts" / "health_check.py", "--json", "--url", f"http://{news.host.address}:{news.port}", cwd=directory)
        assert health.returncode == 0, health.stderr
        assert json.loads(health.stdout)["overall_status"] == "healthy"

    news.break_until_restart()
    sick = site.command(python, CHECKOUT / "scripts" / "health_check.py", "--json", TAILPASTE_URL=f"http://{news.host.address}:{news.port}")
    assert sick.returncode == 1
    assert json.loads(sick.stdout)["overall_status"] == "unhealthy"
