# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a step, an attempt and a recovery end: the words that gate, rungs and records share."""

from __future__ import annotations

RECOVERED = "recovered"
FAILED = "failed"
REFUSED = "refused"
NOT_STARTED = "not_started"
UNREACHABLE = "unreachable"
STEP_OUTCOMES = (RECOVERED, FAILED, REFUSED, NOT_STARTED, UNREACHABLE)

PROVEN = "proven"
RELAPSED = "relapsed"
