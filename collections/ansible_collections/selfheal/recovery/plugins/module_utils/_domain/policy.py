# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The settings a service is guarded by, with the numbers of the contract as defaults and the range each may have.

The ranges are not decoration: within them a service that never stays well opens its breaker or reaches a person in bounded time
(``tests/unit/plugins/module_utils/test_bounded.py`` holds them to it).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any, Mapping

from .breaker import valid_threshold
from .errors import BadInput

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR

TAKEOVER_S = 30
DEGRADED_SAMPLES = 3
FRESH_SAMPLE_S = 15 * MINUTE
JITTER = 0.2
RECURRING_ATTEMPTS = 4
RECURRING_WITHIN_S = 48 * HOUR
SAMPLES_KEPT = 10
RECORDS_KEPT = 50

_RANGES = {
    "proven_after_s": (MINUTE, DAY),
    "daily_budget": (1, 24),
    "lease_s": (5, HOUR),
    "session_deadline_s": (MINUTE, 4 * HOUR),
    "startup_grace_s": (0, HOUR),
    "max_unhealthy_percent": (1, 100),
    "storm_percent": (1, 100),
    "storm_floor": (1, 1000),
    "storm_window_s": (MINUTE, HOUR),
    "max_sessions": (1, 100),
}
_LONGEST_BACKOFF_S = 3 * HOUR

# The rung that is a deployment: it counts on the deployment track too.
REDEPLOY = "redeploy"
RUNGS = ("container_restart", "cache_clear", "network_reset", REDEPLOY)
_ROLE = re.compile(r"[A-Za-z0-9_]+\.[A-Za-z0-9_]+\.[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Policy:
    """What one service may expect of recovery. Durations are seconds; ``ladder`` names the rungs in order."""

    recovery_threshold: int = 3
    deployment_threshold: int = 5
    ladder: tuple[str, ...] = ("container_restart", "cache_clear", "network_reset")
    proven_after_s: int = 30 * MINUTE
    backoff_s: tuple[int, ...] = (5 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 60 * MINUTE)
    daily_budget: int = 7
    lease_s: int = 10 * MINUTE
    session_deadline_s: int = 45 * MINUTE
    startup_grace_s: int = MINUTE
    max_unhealthy_percent: int = 50
    storm_percent: int = 20
    storm_floor: int = 3
    storm_window_s: int = 10 * MINUTE
    max_sessions: int = 3

    def __post_init__(self) -> None:
        valid_threshold(self.recovery_threshold)
        valid_threshold(self.deployment_threshold)
        for name, (lowest, highest) in _RANGES.items():
            _whole(name, getattr(self, name), lowest, highest)
        if not self.backoff_s:
            raise BadInput("expected at least one waiting time in backoff_s, found none")
        for value in self.backoff_s:
            _whole("backoff_s", value, 0, _LONGEST_BACKOFF_S)
        for rung in self.ladder:
            if rung not in RUNGS and not _ROLE.fullmatch(str(rung)):
                raise BadInput(
                    f"expected a rung in the ladder, found {rung!r:.80}",
                    f"Ours are {', '.join(RUNGS)}; a site's own is the full name of a role: NAMESPACE.COLLECTION.ROLE",
                )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Policy:
        """The policy of a mapping; a missing key has its default, an unknown one is refused with the names that exist."""
        known = {each.name for each in fields(cls)}
        unknown = sorted(set(data) - known)
        if unknown:
            raise BadInput(f"expected settings among {', '.join(sorted(known))}, found {', '.join(map(str, unknown)):.200}")
        settings: dict[str, Any] = {key: tuple(value) if isinstance(value, (list, tuple)) else value for key, value in data.items()}
        return cls(**settings)


def _whole(name: str, value: Any, lowest: int, highest: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not lowest <= value <= highest:
        raise BadInput(f"expected {name} to be a whole number from {lowest} to {highest}, found {value!r:.40}")
