# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one root of every expected failure."""

from __future__ import annotations


class RecoveryError(Exception):
    """A failure with a name, a reason a person can read, and what to do about it.

    ``reason`` is the machine's word (``spec`` vocabulary, for example ``state_unreadable``), ``message`` says what was expected and what was
    found, ``advice`` what to do next. One place per door turns this into ``fail_json`` or an exit status; nothing below a door prints or exits.
    """

    reason = "internal_error"

    def __init__(self, message: str, advice: str = "", reason: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        if reason is not None:
            self.reason = reason

    def __str__(self) -> str:
        return f"{self.message}. {self.advice}" if self.advice else self.message


class BadInput(RecoveryError):
    """What was asked for is not something that can be asked for."""

    reason = "bad_input"
