# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Matching patterns, in a process of its own (see ``pattern``)."""

from __future__ import annotations

import re
import resource
from typing import Any, Mapping

from ..helper import answer

MOST_CPU_S = 2


def main() -> None:
    """Answer ``{texts, patterns, ignored}`` with ``{places}``."""
    # The kernel ends it then: a match under way hears nothing else. Time on the clock would punish a busy host.
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
    answer(lambda work: {"places": _places(work)})


def _places(work: Mapping[str, Any]) -> list[int]:
    patterns, ignored = ([re.compile(pattern) for pattern in work[name]] for name in ("patterns", "ignored"))

    def found(among: list[re.Pattern[str]], text: str) -> bool:
        return any(pattern.search(text) for pattern in among)

    return [place for place, text in enumerate(work["texts"]) if found(patterns, text) and not found(ignored, text)]
