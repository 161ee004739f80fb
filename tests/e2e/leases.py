# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs that are held where a test wants them, and the end of their leases."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.lab import wait

from .site import Site

INSTANT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
TAKE_OVER = timedelta(seconds=30)
# Longer than what a restart may take with a grace of a second: a host refuses a shorter one from the start.
LEASE_S = 45
ADMITTED_SECONDS = 60


def wait_for(path: Path) -> dict[str, object]:
    """A task that waits on the control node for a file."""
    return {"ansible.builtin.wait_for": {"path": str(path), "timeout": 300}, "delegate_to": "localhost", "become": False}


def patient_restart(site: Site, may_act: Path) -> str:
    """A rung that restarts the container once a file is there. Returns its name for the ladder."""
    return site.rung("patient_restart", wait_for(may_act), {"ansible.builtin.include_role": {"name": "selfheal.recovery.container_restart"}})


def admitted(site: Site, scope: str) -> str:
    """Wait for a session on a service; its name."""
    return wait.until("the run to be admitted", lambda: site.session(scope), seconds=ADMITTED_SECONDS)


def lease_until(site: Site, scope: str) -> datetime:
    """The end of the lease of the session on a service, by the store's time."""
    (until,) = re.findall(rf"lease until ({INSTANT})", site.selfheal("breaker", "status", "--scope", scope))
    return datetime.fromisoformat(until)


def wait_until(moment: datetime) -> None:
    left = (moment - datetime.now(UTC)).total_seconds()
    wait.until(f"{moment}", lambda: datetime.now(UTC) > moment, seconds=max(0, left) + 1, interval=0.2)
