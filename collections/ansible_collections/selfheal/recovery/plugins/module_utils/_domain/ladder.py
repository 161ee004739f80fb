# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ladder as a state machine: which step an attempt takes next, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .outcomes import FAILED, NOT_STARTED, RECOVERED, REFUSED, UNREACHABLE
from .state import ACTING, DONE, WAITING, Attempt, StepResult

_ENDS_THE_LADDER = (RECOVERED, REFUSED, UNREACHABLE)


@dataclass(frozen=True)
class Next:
    """What to do now: run ``rung`` as step number ``step``, ``wait`` for the wave, or nothing more (``rung`` empty, ``wait`` false)."""

    rung: str = ""
    step: int = 0
    wait: bool = False


@dataclass(frozen=True)
class Conclusion:
    """What an attempt came to: ``recovered``, ``failed`` or ``not_started``, with the result that says why."""

    outcome: str
    reason: str = ""
    detail: str = ""
    rung: str = ""


def next_step(attempt: Attempt, last: StepResult | None = None) -> tuple[Attempt, Next]:
    """Take the result of the step that ran, if one did, and say what comes next.

    A result for a step that is already behind, or still ahead, changes nothing: telling it twice is harmless. The ladder goes on after
    ``failed`` and ``not_started``; it ends with ``recovered``, with ``refused`` (the host's guard would refuse the next one as well) and
    with ``unreachable``.
    """
    if last is not None and attempt.state == ACTING and last.step == attempt.step:
        attempt = replace(attempt, results=(*attempt.results, last), step=attempt.step + 1)
        if last.outcome in _ENDS_THE_LADDER or attempt.step >= len(attempt.rungs):
            attempt = replace(attempt, state=DONE)
    if attempt.state == WAITING:
        return attempt, Next(wait=True)
    if attempt.state == DONE:
        return attempt, Next()
    return attempt, Next(rung=attempt.rungs[attempt.step], step=attempt.step)


def release(attempt: Attempt) -> Attempt:
    """Let a waiting attempt act: from this write on its host may be touched."""
    return replace(attempt, state=ACTING) if attempt.state == WAITING else attempt


def conclude(attempt: Attempt) -> Conclusion:
    """What the attempt came to, as far as anybody was told.

    A mutation that reached the engine, or may have, makes it count: an acting attempt whose step never answered is ``failed``; one that was
    still waiting, or whose steps all ended before they touched anything, is ``not_started``.
    """
    last = attempt.results[-1] if attempt.results else None
    if last is not None and last.outcome == RECOVERED:
        return Conclusion(RECOVERED, last.reason, last.detail, last.rung)
    if attempt.state == ACTING:
        return Conclusion(FAILED, "unsettled", "the step that was running never said how it ended", attempt.rungs[attempt.step])
    if last is None:
        return Conclusion(NOT_STARTED, "not_started", "its turn never came")
    acted = [result for result in attempt.results if result.mutated or result.outcome == UNREACHABLE]
    outcome = FAILED if acted else NOT_STARTED
    return Conclusion(outcome, last.reason or "repair_failed", last.detail, (acted or [last])[-1].rung)
