# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is mounted where, and removing files without ever following a mount."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from .errors import LabError

_ESCAPE = re.compile(r"\\([0-7]{3})")


def mounted(kinds: tuple[str, ...] = ()) -> list[tuple[Path, str]]:
    """Mount points of this process with their file system's type, all or of some types."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        left, _, right = line.partition(" - ")
        kind = right.split()[0]
        if not kinds or kind in kinds:
            found.append((Path(_ESCAPE.sub(lambda match: chr(int(match[1], 8)), left.split()[4])), kind))
    return found


def remove(path: Path) -> None:
    """Remove a file or a tree, if it is there; refuses when something is mounted below it."""
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
        return
    below = [str(point) for point, _ in mounted() if point.is_relative_to(path)]
    if below:
        raise LabError(f"{path}: not removed, because something is mounted there: {', '.join(below)}")
    if path.exists():
        shutil.rmtree(path)
