# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One time format everywhere: RFC 3339, UTC, ``Z``."""

from __future__ import annotations

from datetime import datetime, timezone

from .errors import BadInput


def to_text(moment: datetime) -> str:
    """``2026-11-23T20:04:36.120Z``: milliseconds, UTC. ``moment`` must be aware."""
    if moment.tzinfo is None:
        raise BadInput("expected a time with its zone, found one without")
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_text(text: str) -> datetime:
    """The aware UTC moment of an RFC 3339 text; raises ``BadInput`` for anything else."""
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except (AttributeError, TypeError, ValueError):
        raise BadInput(f"expected a time like 2026-11-23T20:04:36Z, found {text!r}") from None
    if moment.tzinfo is None:
        raise BadInput(f"expected a time with its zone like 2026-11-23T20:04:36Z, found {text!r}")
    return moment.astimezone(timezone.utc)
