# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the engine itself answer? It never fails: an engine that is silent leaves everything about the instance unknown."""

from __future__ import annotations

import time

from ..._domain.verdict import HEALTHY
from .kind import Context, Kind, Result


def measure(context: Context) -> Result:
    """Ping the engine; its errors are raised, and mean ``unmeasured``."""
    began = time.monotonic()
    ping = context.engine.ping(context.deadline)
    latency_ms = round(1000 * (time.monotonic() - began))
    return Result(HEALTHY, f"the container engine answers (API {ping})", {"api_version": str(ping), "latency_ms": latency_ms})


KIND = Kind(name="docker", measure=measure)
