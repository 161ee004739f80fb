# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Paths inside a host, as this machine sees them."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

from .errors import LabError

_MOST_LINKS = 40


def resolve(root: Path, path: str) -> Path:
    """The place of an absolute `path` below `root` (such as /proc/PID/root), following symbolic links as the host would.

    Plain joining would follow an absolute link (`/var/run -> /run`) out of the host, into this machine's own files.
    """
    if not path.startswith("/"):
        raise LabError(f"{path!r}: expected an absolute path on the host")
    waiting = list(reversed(PurePosixPath(path).parts[1:]))
    done: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            done = done[:-1]
            continue
        place = root.joinpath(*done, part)
        if not place.is_symlink():
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            raise LabError(f"{path}: more than {_MOST_LINKS} symbolic links")
        target = PurePosixPath(os.readlink(place))
        if target.is_absolute():
            done = []
        waiting += reversed([step for step in target.parts if step != "/"])
    return root.joinpath(*done)
