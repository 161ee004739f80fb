# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the gate is told: who asks and why, what was measured, and who belongs to the fleet."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Iterable, Mapping

from .errors import BadInput
from .policy import Policy
from .scope import Scope
from .verdict import FAILED, REPORT, SOFT, UNHEALTHY, UNKNOWN, UNMEASURED, VERDICTS, Check, Health, for_ladder

HEALTH_CHECK_FAILED = "health_check_failed"
PERSISTENT_DEGRADATION = "persistent_degradation"
MANUALLY_FORCED = "manually_forced"
REASONS_TO_ACT = (HEALTH_CHECK_FAILED, PERSISTENT_DEGRADATION, "service_unavailable", "functionality_failed", MANUALLY_FORCED)
DOORS = ("manual", "schedule", "workflow", "awx", "event")
_LONGEST_TEXT = 500


@dataclass(frozen=True)
class Inputs:
    """The document's inputs, the same at every door. They are data: checked here, never templated.

    ``health_status`` is a claim: it is recorded and decides nothing.
    """

    health_status: str = UNKNOWN
    recovery_reason: str = HEALTH_CHECK_FAILED
    triggered_by: str = "manual"
    monitoring_session_id: str = ""
    skip_recovery_actions: bool = False
    force_redeployment: bool = False

    def __post_init__(self) -> None:
        _one_of("health_status", self.health_status, VERDICTS)
        _one_of("recovery_reason", self.recovery_reason, REASONS_TO_ACT)
        _one_of("triggered_by", self.triggered_by, DOORS)
        if len(str(self.monitoring_session_id)) > _LONGEST_TEXT:
            raise BadInput(f"expected monitoring_session_id: at most {_LONGEST_TEXT} characters of text")
        for name in ("skip_recovery_actions", "force_redeployment"):
            if not isinstance(getattr(self, name), bool):
                raise BadInput(f"expected {name} to be true or false, found {getattr(self, name)!r:.40}")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Inputs:
        """The inputs of a mapping; an unknown name is refused."""
        known = [each.name for each in fields(cls)]
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise BadInput(f"expected inputs among {', '.join(known)}, found {', '.join(map(str, unknown)):.200}")
        return cls(**data)

    @property
    def forced(self) -> bool:
        """Whether a person asks for action whatever was measured."""
        return self.recovery_reason == MANUALLY_FORCED or self.force_redeployment


@dataclass(frozen=True)
class Observation:
    """One instance as its host was just measured.

    ``clock`` is the host's own (``boot_id`` and ``seconds`` since boot), from which the fence's ``not_after`` is reckoned. ``detail`` is the worst
    thing measured in words, ``reported`` the worst that no rung can cure; empty when there is none.
    """

    scope: Scope
    verdict: str
    ladder: str
    policy: Policy
    starting: bool = False
    start_period_s: float = 0
    unreachable: bool = False
    container_state: str = ""
    guard_store: str = ""
    clock: Mapping[str, Any] = field(default_factory=dict)
    detail: str = ""
    reported: str = ""

    @property
    def serves(self) -> bool:
        """Whether the instance serves, as far as anybody can tell."""
        return self.verdict != UNKNOWN and self.ladder != UNHEALTHY

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> Observation:
        """The observation in a result of ``service_health_info``; raises ``BadInput`` when it is not one."""
        try:
            health = Health.from_json(result["health"])
            observed = result.get("observed") or {}
            container = observed.get("container") or {}
            return cls(
                scope=Scope.parse(health.scope),
                verdict=_one_of("overall_status", health.overall_status, VERDICTS),
                ladder=for_ladder(health),
                policy=Policy.from_json(result.get("policy") or {}),
                starting=bool(observed.get("starting")),
                start_period_s=float(container.get("start_period_s") or 0),
                unreachable=bool(result.get("unreachable_host")),
                container_state=str(container.get("state") or ""),
                guard_store=str((observed.get("guard") or {}).get("store_id") or ""),
                clock=observed.get("clock") or {},
                detail=health.errors[0] if health.errors else _worst(health.checks),
                reported=_worst([check for check in health.checks if check.remedy == REPORT and check.status in (FAILED, SOFT)]),
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInput(
                f"expected a result of service_health_info, found something else ({error!r:.200})",
                "Run service_health_info on every instance and hand its results over as they are",
            ) from None


def _worst(checks: Iterable[Check]) -> str:
    """The worst thing measured, in the words of its probe."""
    for status in (FAILED, UNMEASURED, SOFT):
        for check in sorted(checks, key=lambda each: not each.critical):
            if check.status == status:
                return f"{check.name}: {check.message}"
    return ""


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise BadInput(f"expected {name} to be one of {', '.join(allowed)}, found {value!r:.80}")
    return value
