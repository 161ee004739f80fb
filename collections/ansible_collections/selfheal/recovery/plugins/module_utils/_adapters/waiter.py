# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one way to wait: a predicate, a deadline, an interval, and the last state when time runs out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Callable, Generic, TypeVar

from .._domain.verdict import HEALTHY, for_ladder
from .clock import Clock, SystemClock
from .prober import Measurement

T = TypeVar("T")


@dataclass(frozen=True)
class Waited(Generic[T]):
    """How a wait ended: whether the state was reached, after how many seconds, and the last state seen."""

    reached: bool
    seconds: float
    last: T


@dataclass(frozen=True)
class Waiter:
    """Looks every ``interval`` seconds until ``timeout``; a look that has begun is finished, so one look is the least."""

    timeout: float
    interval: float = 1.0
    clock: Clock = SystemClock()

    def until(self, look: Callable[[], T], reached: Callable[[T], bool], worth_waiting: Callable[[T], bool] = lambda _state: True) -> Waited[T]:
        """Wait until ``reached`` of what ``look`` sees, or until it is not ``worth_waiting`` any more."""
        began = self.clock.monotonic()
        while True:
            state = look()
            seconds = self.clock.monotonic() - began
            if reached(state):
                return Waited(True, seconds, state)
            if seconds + self.interval > self.timeout or not worth_waiting(state):
                return Waited(False, seconds, state)
            self.clock.sleep(self.interval)


class _Window:
    """Since when an instance has been healthy without a break. Another start of the container is a break, seen healthy or not."""

    def __init__(self, seconds: float, timeout: float, clock: Clock) -> None:
        self._seconds = seconds
        self._clock = clock
        self._end = clock.monotonic() + timeout
        self._since: float | None = None
        self._start: tuple[Any, ...] = ()

    def full(self, seen: Measurement) -> bool:
        now = self._clock.monotonic()
        container = seen.observed.get("container") or {}
        start = (container.get("id"), container.get("started_at"))
        if for_ladder(seen.health) != HEALTHY:
            self._since = None
        elif self._since is None or start != self._start:
            self._since = now
        self._start = start
        return self._since is not None and now - self._since >= self._seconds

    def may_fill(self, _seen: Measurement) -> bool:
        """There is time to become healthy, or it became so in time."""
        return self._clock.monotonic() < self._end if self._since is None else self._since <= self._end


def until_stable(
    measure: Callable[[], Measurement], stable_for: float, timeout: float, interval: float = 1.0, clock: Clock | None = None
) -> Waited[Measurement]:
    """Wait until what a rung can cure has been healthy for ``stable_for`` seconds without a break.

    ``timeout`` is the time it may take to *become* healthy; a window that began in time may be filled after it, one that breaks then is the end.
    So this takes at most ``timeout + stable_for`` and one measurement.
    """
    clock = clock or SystemClock()
    window = _Window(stable_for, timeout, clock)
    return Waiter(math.inf, interval, clock).until(measure, window.full, window.may_fill)
