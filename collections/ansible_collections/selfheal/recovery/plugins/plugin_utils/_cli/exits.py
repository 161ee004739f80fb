# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the exit status of `selfheal` says."""

from __future__ import annotations

DONE = 0
ANSWER_IS_NO = 1
FAILED = 2
INTERRUPTED = 130  # 128 and the number of the signal, as a shell would say it
UNREAD = 141
