# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host's clocks, passed in wherever time matters."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What the adapters ask of time; tests bring their own."""

    def monotonic(self) -> float:
        """Seconds that only ever grow, for waits and deadlines."""

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""

    def now(self) -> datetime:
        """The wall clock, aware, UTC: for time stamps and for what the engine stamped."""

    def boot_id(self) -> str:
        """The identity of this boot of the host; empty where the kernel does not tell."""

    def boot_seconds(self) -> float:
        """Seconds since that boot, sleep included (CLOCK_BOOTTIME): what a lease's end is measured in on this host."""


class SystemClock:
    """The real one."""

    def monotonic(self) -> float:
        """See ``Clock``."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See ``Clock``; a negative time is none."""
        time.sleep(max(0.0, seconds))

    def now(self) -> datetime:
        """See ``Clock``."""
        return datetime.now(timezone.utc)

    def boot_id(self) -> str:
        """See ``Clock``."""
        try:
            return _BOOT_ID.read_text(encoding="ascii").strip()
        except OSError:
            return ""

    def boot_seconds(self) -> float:
        """See ``Clock``."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
