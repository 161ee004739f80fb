# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Words for people: text from anywhere made harmless, plurals, lines."""

from __future__ import annotations

LONGEST = 300


def harmless(text: object, longest: int = LONGEST) -> str:
    """``text`` on one line that does nothing to a terminal: what is not printable is escaped, and what is too long is cut with a note."""
    whole = str(text)
    shown = "".join(each if each.isprintable() else _escaped(each) for each in whole[:longest])
    return shown if len(whole) <= longest else f"{shown}… ({len(whole)} characters)"


def count(number: int, word: str) -> str:
    """``1 failure``, ``2 failures``."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
