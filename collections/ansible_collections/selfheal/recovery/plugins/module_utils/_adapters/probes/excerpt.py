# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Text that somebody else wrote, made fit for one line of a message."""

from __future__ import annotations

from typing import Callable

LONGEST = 200


def excerpt(text: str, mask: Callable[[str], str], longest: int = LONGEST) -> str:
    """The beginning of ``text``: secrets masked first, then blanks folded, and control characters (a terminal obeys them) replaced."""
    folded = " ".join(mask(text).split())
    return _disarmed(folded) if len(folded) <= longest else _disarmed(folded[: longest - 1]) + "…"


def ending(text: str, mask: Callable[[str], str], longest: int = LONGEST) -> str:
    """The end of ``text``, where a program says why it gave up; otherwise like ``excerpt``."""
    return _disarmed(" ".join(mask(text).split())[-longest:])


def _disarmed(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)
