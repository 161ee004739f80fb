# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the demo lies: the checkout, its reports, and names of its own, so that the demos of two checkouts do not meet."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import Unavailable

CHECKOUT = Path(__file__).resolve().parents[2]
REPORTS = CHECKOUT / "reports" / "demo"
IDENTITY = f"selfheal-demo-{hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:6]}"
# What the containers say and do on their host is remembered here: the reports point to the evidence in it.
GUARD = REPORTS / "host"

_OF_AN_EARLIER_DEMO = ("recovery-*", "run-*", "host")


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold this checkout's demo; the kernel lets go of it when the holder dies."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    handle = os.open(REPORTS, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unavailable("another demo of this checkout is running: wait for it, or stop it") from None
    else:
        yield
    finally:
        os.close(handle)


def clear_reports() -> None:
    """Make room: the reports of one demo are kept until the next."""
    for pattern in _OF_AN_EARLIER_DEMO:
        for path in REPORTS.glob(pattern):
            shutil.rmtree(path)


@contextmanager
def workspace(parent: Path) -> Iterator[Path]:
    """An empty directory for everything that is not kept; what a killed demo left in it is removed first."""
    path = parent / IDENTITY
    _remove(path)
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        _remove(path)


def _remove(path: Path) -> None:
    """Never follows a link that somebody else put there: rmtree refuses one."""
    if os.path.lexists(path):
        shutil.rmtree(path)
