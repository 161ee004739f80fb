# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A process that holds the guard: ``guard_worker.py DIRECTORY FENCE-JSON SECONDS``. Says ``held`` or its refusal, then waits to be killed."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.clock import SystemClock
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.host_guard import HostGuard
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.fence import Fence, GuardRefused


def main(directory, fence, seconds):
    clock = SystemClock()
    parts = json.loads(fence)
    parts["not_after"] = {"boot_id": clock.boot_id(), "seconds": clock.boot_seconds() + 600}
    guard = HostGuard(Path(directory), wait_s=float(parts.pop("wait_s", 0)))
    try:
        with guard.acting(Fence.parse(parts), "container_restart", 1, journal={"step": "begun"}) as held:
            print("held", json.dumps(held.unfinished), flush=True)
            time.sleep(float(seconds))
    except GuardRefused as refusal:
        print(refusal.reason, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
