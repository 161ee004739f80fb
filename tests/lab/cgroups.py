# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The control groups that a host's engine makes: one parent per host and hierarchy, with version 1, version 2 or both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from . import mounts, wait


def directories(parent: str) -> list[Path]:
    """Where this parent exists, in every mounted hierarchy."""
    found = {point / parent for point, _ in mounts.mounted(("cgroup", "cgroup2"))}
    return sorted(path for path in found if path.is_dir())


def thaw(parent: str) -> None:
    """Let frozen processes go on: in version 1 a frozen process cannot even be killed."""
    for top in directories(parent):
        for directory in _deepest_first(top):
            for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
                with suppress(OSError):
                    if (directory / name).exists():
                        (directory / name).write_text(value)


def remove(parent: str, *, seconds: float = 20) -> None:
    """Remove this parent and all below it; the kernel empties a group shortly after its last process."""

    def gone() -> bool:
        for top in directories(parent):
            for directory in _deepest_first(top):
                directory.rmdir()
        return not directories(parent)

    wait.until(f"the control groups {parent} to be empty", gone, seconds=seconds, interval=0.01)


def _deepest_first(top: Path) -> Iterator[Path]:
    for where, _, _ in os.walk(top, topdown=False):
        yield Path(where)
