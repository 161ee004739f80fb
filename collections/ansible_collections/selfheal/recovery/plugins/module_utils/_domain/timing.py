# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How long to wait for what (contract, "Verdict" and "Numbers"); all in seconds."""

from __future__ import annotations

STARTUP_GRACE = 60.0
STABLE_WINDOW = 10.0
VERIFY_TIMEOUT = 60.0

_LONGEST_WINDOW_BY_INTERVAL = 60.0
_LONGEST_INTERVAL_WAITED_FOR = 120.0


def startup_grace(configured: float | None, start_period: float) -> float:
    """Uptime below which a failing instance is called starting: the configured grace (60), or its container's start period if that is longer."""
    return max(STARTUP_GRACE if configured is None else configured, start_period)


def stable_window(configured: float | None, health_interval: float) -> float:
    """How long an instance must be healthy without a break before it counts as repaired.

    The configured window (10), or one interval of the engine's health check if that is longer, so that the engine has looked at least once;
    an interval adds up to 60 s and no more. A configured window is taken as it is, also beyond 60 s.
    """
    return max(STABLE_WINDOW if configured is None else configured, min(health_interval, _LONGEST_WINDOW_BY_INTERVAL))


def verify_timeout(configured: float | None, start_period: float, health_interval: float = 0.0) -> float:
    """How long a repaired instance may take to *become* healthy; a stable window that began in time may end after it.

    The configured time (60) or twice the start period. Two intervals of the engine's health check (each taken as at most 120 s) are given too:
    the engine calls a container starting until its first look, and one that looks every minute would otherwise never be verified in 60 s.
    """
    return max(VERIFY_TIMEOUT if configured is None else configured, 2 * start_period, 2 * min(health_interval, _LONGEST_INTERVAL_WAITED_FOR))
