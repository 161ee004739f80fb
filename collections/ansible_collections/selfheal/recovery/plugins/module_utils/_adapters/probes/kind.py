# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a kind of probe is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from ..._domain.errors import RecoveryError
from ..._domain.verdict import CRITICAL_KINDS, LADDER
from ..clock import Clock
from ..deadline import Deadline
from ..engine.client import Engine
from .memory import FORGETFUL, Memory


class Unmeasured(RecoveryError):
    """Nothing can be said about the service: the fault is on the measuring side."""

    reason = "unmeasured"


@dataclass(frozen=True)
class Result:
    """What a measurement says; ``status`` is one of ``verdict.CHECK_STATUSES``.

    ``remedy`` says who cures this finding where that is not who cures the kind's others: it beats the kind's, and the operator's word beats both.
    """

    status: str
    message: str
    metrics: Mapping[str, Any] = field(default_factory=dict)
    remedy: str = ""


@dataclass(frozen=True)
class Context:
    """What a measurement is given.

    ``inspect`` answers with the container as the engine described it (one call for all probes of an instance) and raises the engine's errors.
    ``cut_short`` says that ``deadline`` is earlier than the probe's own: silence until then proves nothing.
    ``mask`` takes the values of the container's environment out of text that somebody else wrote.
    ``memory`` is what this probe remembers on its host from one measurement to the next.
    """

    engine: Engine
    container: str
    inspect: Callable[[], Mapping[str, Any]]
    deadline: Deadline
    cut_short: bool
    clock: Clock
    options: Mapping[str, Any]
    mask: Callable[[str], str]
    memory: Memory = FORGETFUL


@dataclass(frozen=True)
class Option:
    """One option of a kind; ``type`` and ``elements`` in Ansible's words. ``check`` raises ``BadInput`` for a value that cannot be meant."""

    type: str
    default: Any = None
    required: bool = False
    elements: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False
    check: Callable[[Any], None] | None = None


@dataclass(frozen=True)
class Kind:
    """One kind of probe: its options, its deadline in seconds, who cures it, and how it measures.

    ``measure`` answers with a ``Result``, or raises ``Unmeasured`` or an engine's error, both of which mean ``unmeasured``.
    One that ``writes`` to the service does not run in check mode.
    ``check`` raises ``BadInput`` for a probe whose options cannot be meant together.
    Whether it is critical unless told otherwise is the domain's word (``verdict.CRITICAL_KINDS``).
    """

    name: str
    measure: Callable[[Context], Result]
    options: Mapping[str, Option] = field(default_factory=dict)
    deadline: float = 10.0
    remedy: str = LADDER
    writes: bool = False
    check: Callable[[Probe], None] | None = None

    @property
    def critical(self) -> bool:
        """Does its failure make the instance unhealthy?"""
        return self.name in CRITICAL_KINDS


@dataclass(frozen=True)
class Probe:
    """One configured probe; ``remedy`` is empty where the operator left it open."""

    name: str
    kind: Kind
    critical: bool
    remedy: str
    deadline: float
    options: Mapping[str, Any]

    def remedy_of(self, result: Result) -> str:
        """Who cures what was found: the operator's word, else the finding's, else the kind's."""
        return self.remedy or result.remedy or self.kind.remedy
