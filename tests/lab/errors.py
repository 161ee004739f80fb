# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one error of the lab."""

from __future__ import annotations


class LabError(Exception):
    """Something about the lab is not as it must be; the message says what was expected, what was found and what to do."""
