# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One writer of the conformance suite, as a process of its own: ``store_worker.py URL increment NUMBER | create``."""

from __future__ import annotations

import sys

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.events import Event
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.times import to_text

SCOPE = "env/web"


def increment(snapshot):
    count = (snapshot.documents[SCOPE] or {"count": 0})["count"] + 1
    return Change({SCOPE: {"count": count}}, [Event(to_text(snapshot.now), SCOPE, "recovery", "increment", failure_count=count)], count)


def main(url, command, number="1"):
    store = open_store(url, deadline=30)
    if command == "create":
        print(store.store_id())
    for _dummy in range(int(number)):
        count = store.transact([SCOPE], increment)
        if command == "increment":
            print(count, flush=True)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
