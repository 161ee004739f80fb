# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Figures out of interleaved runs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable


def median(values: Iterable[float]) -> float:
    """The middle one, or the mean of the two in the middle."""
    return statistics.median(values)


def spread(values: Iterable[float]) -> str:
    """The least and the greatest, for people."""
    found = sorted(values)
    return f"{found[0]:.2f} to {found[-1]:.2f}"
