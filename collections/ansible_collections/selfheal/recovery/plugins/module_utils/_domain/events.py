# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happened to guard state: one immutable record per change."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Mapping


@dataclass(frozen=True)
class Event:
    """One change of guard state, in the shape of the contract ("every change is an event").

    ``timestamp`` is RFC 3339 UTC, ``scope`` the service's or instance's key, ``track`` ``recovery``, ``deployment`` or ``""`` where the
    change concerns neither, ``failure_count`` and ``threshold`` the track's values after the change (0 where there is no track).
    """

    timestamp: str
    scope: str
    track: str
    action: str
    reason: str = ""
    triggered_by: str = ""
    session_id: str = ""
    failure_count: int = 0
    threshold: int = 0

    def to_json(self) -> dict[str, Any]:
        """A plain mapping with exactly the contract's nine keys."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Event:
        """The event of a stored mapping; unknown keys are left out."""
        return cls(**{field.name: data[field.name] for field in fields(cls) if field.name in data})
