# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From measurements to a verdict (contract, "Verdict")."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Iterable, Mapping

HEALTHY = "healthy"
DEGRADED = "degraded"
UNHEALTHY = "unhealthy"
UNKNOWN = "unknown"
VERDICTS = (HEALTHY, DEGRADED, UNHEALTHY, UNKNOWN)

SOFT = "soft"
FAILED = "failed"
UNMEASURED = "unmeasured"
CHECK_STATUSES = (HEALTHY, SOFT, FAILED, UNMEASURED)

LADDER = "ladder"
REPORT = "report"

CRITICAL_KINDS = frozenset({"http", "tcp", "container", "roundtrip"})
FUNCTIONAL_KINDS = frozenset({"http", "tcp", "roundtrip", "command"})


@dataclass(frozen=True)
class Check:
    """One measurement.

    ``status`` is ``healthy``, ``soft`` (works, but past a soft limit), ``failed`` (the service answered for itself, wrongly or not at all) or
    ``unmeasured`` (nothing can be said about the service). ``remedy`` is ``ladder`` when a rung may cure it, ``report`` when only a person can.
    """

    name: str
    kind: str
    status: str
    critical: bool = False
    remedy: str = LADDER
    duration_ms: int = 0
    message: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Health:
    """Everything measured about one instance at one time, in the contract's one JSON shape."""

    timestamp: str
    session_id: str
    scope: str
    host: str
    overall_status: str
    checks: tuple[Check, ...] = ()
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """A plain mapping, lists instead of tuples."""
        data = asdict(self)
        for key in ("checks", "errors", "warnings"):
            data[key] = list(data[key])
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Health:
        """The health of a mapping made by ``to_json``; unknown keys are left out."""
        known: dict[str, Any] = {name: data[name] for name in (each.name for each in fields(cls)) if name in data}
        names = [each.name for each in fields(Check)]
        checks = tuple(Check(**{name: check[name] for name in names if name in check}) for check in known.pop("checks", ()))
        lists: dict[str, Any] = {key: tuple(known.pop(key, ())) for key in ("errors", "warnings")}
        return cls(checks=checks, **lists, **known)


def overall(checks: Iterable[Check], starting: bool = False) -> str:
    """The verdict of ``checks``; ``starting`` says that the engine calls the instance starting or its uptime is below its grace.

    An instance that is starting and already passes everything is healthy once the engine does not call it starting any more: the caller
    passes ``starting`` for a short uptime only, and an unfinished Docker health check as an ``unmeasured`` critical check. Being new excuses
    what time may cure; a full disk (remedy ``report``) says the same at any age.
    """
    checks = tuple(checks)
    failed = [check for check in checks if check.status == FAILED]
    if any(check.status == UNMEASURED and (check.critical or check.kind == "docker") for check in checks):
        return UNKNOWN
    if starting and any(check.remedy == LADDER for check in failed):
        return UNKNOWN
    if any(check.critical for check in failed):
        return UNHEALTHY
    if failed or any(check.status == SOFT for check in checks):
        return DEGRADED
    return HEALTHY


def for_ladder(health: Health) -> str:
    """The verdict of what a rung can cure: checks whose remedy is ``report`` do not move it (they escalate, and never act)."""
    if health.overall_status == UNKNOWN:
        return UNKNOWN
    return overall(check for check in health.checks if check.remedy == LADDER)
