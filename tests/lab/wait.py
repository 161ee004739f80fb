# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every wait is a predicate, a deadline and an interval."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from .errors import LabError

T = TypeVar("T")


def until(what: str, predicate: Callable[[], T | None], *, seconds: float, interval: float = 0.02) -> T:
    """The first true value of `predicate`, asked every `interval` seconds; an `OSError` counts as "not yet".

    Raises LabError after `seconds`, with the last error seen.
    """
    deadline = time.monotonic() + seconds
    last: OSError | None = None
    while True:
        try:
            value = predicate()
            if value:
                return value
        except OSError as error:
            last = error
        if time.monotonic() >= deadline:
            seen = f"; last error: {last}" if last else ""
            raise LabError(f"waited {seconds:g} s in vain for {what}{seen}") from last
        time.sleep(interval)
