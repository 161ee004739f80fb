# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""(c) Durable writes of the guard state in a second: one document counted up and one event each, by one writer and by twenty at once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

from tests.e2e.runs import CHECKOUT

from .figures import median

WRITERS = (1, 20)
WRITES = 1000
_SCOPE = "bench/web"


@dataclass(frozen=True)
class Rates:
    """Writes in a second, medians, by the number of writers."""

    rates: dict[int, float]


def measure(url: str, rounds: int) -> Rates:
    """All writes go to one document, which is the worst case: nothing can be done side by side."""
    return Rates({writers: median(_rate(url, writers) for _round in range(rounds)) for writers in WRITERS})


def _rate(url: str, writers: int) -> float:
    each = WRITES // writers
    path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "collections")])
    argv = [sys.executable, "-m", "tests.bench.writer", url, str(each)]
    processes = [
        subprocess.Popen(argv, env=os.environ | {"PYTHONPATH": path}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _number in range(writers)
    ]
    before = _count(url)
    for process in processes:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"a writer could not open {url.partition('://')[0]}")
    times = [process.communicate("\n", timeout=300)[0].split() for process in _told(processes)]
    if _count(url) != before + each * writers:
        raise RuntimeError("writes were lost")
    return each * writers / (max(float(end) for _began, end in times) - min(float(began) for began, _end in times))


def _told(processes: list[subprocess.Popen[str]]) -> list[subprocess.Popen[str]]:
    """All of them are told to begin before any is waited for."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return processes


def _count(url: str) -> int:
    from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store

    store = open_store(url)
    try:
        document = store.read([_SCOPE]).documents[_SCOPE]
        return int(document["count"]) if document else 0
    finally:
        store.close()
