# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A writer that kills itself: ``sqlite_crash_worker.py PATH MOMENT``.

It creates the store and counts three times. Every statement that SQLite begins and every directory, file and connection that Python makes,
renames or removes is a moment; at the one asked for the process gets ``SIGKILL``. Ends with status 0 when there were not that many.
"""

from __future__ import annotations

import os
import signal
import sys

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters import sqlite
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.store_worker import SCOPE, increment

TOUCHING = frozenset(("os.mkdir", "os.rename", "os.remove", "sqlite3.connect"))


class Fate:
    def __init__(self, moment):
        self.left = moment

    def __call__(self, *dummy):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(path, moment):
    fate = Fate(int(moment))
    connect = sqlite._connect

    def traced(*arguments):
        connection = connect(*arguments)
        connection.set_trace_callback(fate)
        return connection

    sqlite._connect = traced
    sys.addaudithook(lambda name, dummy: fate() if name in TOUCHING else None)
    store = sqlite.SqliteStore(path)
    for _dummy in range(3):
        store.transact([SCOPE], increment)
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
