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


class Unmeasured(RecoveryError):
    """Nothing can be said about the service: the fault is on the measuring side."""

    reason = "unmeasured"


@dataclass(frozen=True)
class Result:
    """What a measurement says; ``status`` is one of ``verdict.CHECK_STATUSES``."""

    status: str
    message: str
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """What a measurement is given.

    ``inspect`` answers with the container as the engine described it (one call for all probes of an instance) and raises the engine's errors.
    ``cut_short`` says that ``deadline`` is earlier than the probe's own: silence until then proves nothing.
    ``mask`` takes the values of the container's environment out of text that somebody else wrote.
    """

    engine: Engine
    container: str
    inspect: Callable[[], Mapping[str, Any]]
    deadline: Deadline
    cut_short: bool
    clock: Clock
    options: Mapping[str, Any]
    mask: Callable[[str], str]


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
    Whether it is critical unless told otherwise is the domain's word (``verdict.CRITICAL_KINDS``).
    """

    name: str
    measure: Callable[[Context], Result]
    options: Mapping[str, Option] = field(default_factory=dict)
    deadline: float = 10.0
    remedy: str = LADDER

    @property
    def critical(self) -> bool:
        """Does its failure make the instance unhealthy?"""
        return self.name in CRITICAL_KINDS


@dataclass(frozen=True)
class Probe:
    """One configured probe."""

    name: str
    kind: Kind
    critical: bool
    remedy: str
    deadline: float
    options: Mapping[str, Any]
