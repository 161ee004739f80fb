# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The circuit breaker: two tracks, each a count, a state and the story of how it got there (contract, "Circuit breaker").

Every transition is ``(track, cause) -> (track, events)``. A track never closes itself: closing is a person's command.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from .errors import BadInput
from .events import Event
from .times import to_text

RECOVERY = "recovery"
DEPLOYMENT = "deployment"
TRACKS = (RECOVERY, DEPLOYMENT)

CLOSED = "closed"
OPEN = "open"

DEFAULT_THRESHOLDS = {RECOVERY: 3, DEPLOYMENT: 5}


@dataclass(frozen=True)
class Cause:
    """Why and when a transition happens: the fields every event of it carries. ``threshold`` is the track's threshold in force."""

    now: datetime
    scope: str
    threshold: int
    reason: str = ""
    triggered_by: str = ""
    session_id: str = ""


@dataclass(frozen=True)
class Track:
    """One breaker track. Times are RFC 3339 text, empty where the thing never happened.

    ``closed_at`` and ``closed_count`` remember the last close: a count that has not changed since then does not open the track again by
    ``check``; ``budget_from`` is the moment from which attempts count towards the daily budget.
    """

    name: str
    failure_count: int = 0
    status: str = CLOSED
    opened_at: str = ""
    opened_by: str = ""
    last_trigger: str = ""
    trigger_reason: str = ""
    last_failure_time: str = ""
    last_failure_reason: str = ""
    closed_at: str = ""
    closed_count: int = 0
    budget_from: str = ""

    @property
    def is_open(self) -> bool:
        """Whether automated action is blocked."""
        return self.status == OPEN


def fail(track: Track, cause: Cause) -> tuple[Track, list[Event]]:
    """Count one failure; the write that reaches the threshold opens the track."""
    counted = replace(
        track,
        failure_count=track.failure_count + 1,
        last_failure_time=to_text(cause.now),
        last_failure_reason=cause.reason,
    )
    events = [_event(counted, cause, "failure")]
    if counted.failure_count >= cause.threshold and not counted.is_open:
        return _opened(counted, cause, "threshold", events)
    return counted, events


def prove(track: Track, cause: Cause) -> tuple[Track, list[Event]]:
    """A proven success forgets the failures before it. An open track stays open: its reset is a person's."""
    proven = replace(track, failure_count=0)
    return proven, [_event(proven, cause, "proven")]


def open_(track: Track, cause: Cause, trigger: str = "manual") -> tuple[Track, list[Event]]:
    """Open the track whatever its count; opening an open one changes nothing."""
    if track.is_open:
        return track, []
    return _opened(track, cause, trigger, [])


def close(track: Track, cause: Cause, keep_failures: bool = False) -> tuple[Track, list[Event]]:
    """Close the track; without ``keep_failures`` its count starts at 0 again, and so does the daily budget. Kept: the next failure opens."""
    now = to_text(cause.now)
    count = track.failure_count if keep_failures else 0
    closed = replace(
        track,
        status=CLOSED,
        failure_count=count,
        closed_at=now,
        closed_count=count,
        budget_from=track.budget_from if keep_failures else now,
    )
    return closed, [_event(closed, cause, "closed")]


def check(track: Track, cause: Cause) -> tuple[Track, list[Event]]:
    """Open a closed track whose count is at or over its threshold, but not for a count left unchanged since the last close."""
    over = track.failure_count >= cause.threshold
    known = bool(track.closed_at) and track.failure_count == track.closed_count
    if track.is_open or not over or known:
        return track, []
    return _opened(track, cause, "check", [])


def exceeded(track: Track, threshold: int) -> bool:
    """Whether the count is at or over the threshold, whatever the state."""
    return track.failure_count >= threshold


def valid_threshold(value: object) -> int:
    """``value`` when it is a threshold (a whole number of at least 1); raises ``BadInput`` otherwise."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1000:
        raise BadInput(f"expected a threshold: a whole number from 1 to 1000, found {value!r:.40}")
    return value


def _opened(track: Track, cause: Cause, trigger: str, events: list[Event]) -> tuple[Track, list[Event]]:
    opened = replace(
        track,
        status=OPEN,
        opened_at=to_text(cause.now),
        opened_by=cause.triggered_by,
        last_trigger=trigger,
        trigger_reason=cause.reason,
    )
    return opened, [*events, _event(opened, cause, "opened")]


def _event(track: Track, cause: Cause, action: str) -> Event:
    return Event(
        timestamp=to_text(cause.now),
        scope=cause.scope,
        track=track.name,
        action=action,
        reason=cause.reason,
        triggered_by=cause.triggered_by,
        session_id=cause.session_id,
        failure_count=track.failure_count,
        threshold=cause.threshold,
    )
