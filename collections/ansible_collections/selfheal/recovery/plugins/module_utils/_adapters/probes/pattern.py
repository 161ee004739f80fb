# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Regular expressions of the operator's on text of somebody else's, which together may run for ages.

Python matches in one go, during which no other thread runs: a pattern that backtracks without end would silence every probe of the instance.
So it runs in a process of its own, which can be ended.
"""

from __future__ import annotations

import re
from typing import Sequence

from ..._domain.errors import BadInput
from ..deadline import Deadline
from ..helper import HelperFailed, ask
from . import pattern_look
from .kind import Unmeasured

_LONGEST_PATTERN = 500


def matching(texts: Sequence[str], patterns: Sequence[str], deadline: Deadline, ignored: Sequence[str] = ()) -> list[int]:
    """The places of those ``texts`` in which one of ``patterns`` is found and none of ``ignored``; ``Unmeasured`` when that takes too long."""
    try:
        answer = ask(pattern_look.__name__, {"texts": list(texts), "patterns": list(patterns), "ignored": list(ignored)}, deadline)
    except (TimeoutError, HelperFailed) as error:
        raise Unmeasured(
            f"the patterns were not matched within {pattern_look.MOST_CPU_S} s of processor time ({error})",
            "Write them so that they do not backtrack: no repetition within a repetition",
        ) from error
    return [int(place) for place in answer["places"]]


def check_pattern(pattern: str) -> None:
    """``Option.check`` of one pattern."""
    if not 0 < len(pattern) <= _LONGEST_PATTERN:
        raise BadInput(f"expected a regular expression of 1 to {_LONGEST_PATTERN} characters, found one of {len(pattern)}")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise BadInput(f"expected a regular expression in Python's syntax, found {pattern!r:.100}: {error}") from None


def check_patterns(patterns: Sequence[str]) -> None:
    """``Option.check`` of a list of patterns."""
    for pattern in patterns:
        check_pattern(pattern)
