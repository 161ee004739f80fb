# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Durations as people write them: ``90s``, ``30m``, ``2h``, ``1d``, ``1h30m``."""

from __future__ import annotations

import re

from .._domain.errors import BadInput

_DURATION = re.compile(r"(?:([0-9]{1,6})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,6})s)?", re.ASCII)
_SECONDS = (86400, 3600, 60, 1)


def seconds_of(text: str) -> int:
    """The seconds in ``text``, at least 1; ``BadInput`` for anything that is no duration, also for a number without a unit."""
    found = _DURATION.fullmatch(text.strip())
    seconds = sum(int(number or 0) * unit for number, unit in zip(found.groups(), _SECONDS)) if found else 0
    if not seconds:
        raise BadInput(f"expected a duration like 30m, 2h or 1h30m, found {text!r:.40}")
    return seconds
