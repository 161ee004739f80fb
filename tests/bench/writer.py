# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One writer: waits for a line, then counts one up so many times, an event each, and prints when it began and when it ended."""

from __future__ import annotations

import sys
import time

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change, Snapshot
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.events import Event
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.times import to_text

SCOPE = "bench/web"


def count_up(snapshot: Snapshot) -> Change:
    """One failure more."""
    count = (snapshot.documents[SCOPE] or {"count": 0})["count"] + 1
    return Change({SCOPE: {"count": count}}, [Event(to_text(snapshot.now), SCOPE, "recovery", "increment", failure_count=count)], count)


def main(url: str, times: str) -> None:
    """Count up as often as told."""
    store = open_store(url, deadline=60)
    store.read([SCOPE])
    print("ready", flush=True)
    sys.stdin.readline()
    began = time.monotonic()
    for _number in range(int(times)):
        store.transact([SCOPE], count_up)
    print(began, time.monotonic(), flush=True)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
