# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the breaker's commands show: the contract's ``status --json`` keys, the history, and the export."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Iterable

from .breaker import DEPLOYMENT, OPEN, RECOVERY, Track, exceeded
from .decide import pause_holds
from .events import Event
from .scope import Scope
from .state import Environment, Instance, Pause, Record, Service
from .times import to_text


def status(service: Service, scope: Scope, environment: Environment, now: datetime) -> dict[str, Any]:
    """The status of a service, or of one instance of it: ``open`` when any track is, counts the highest of its instances.

    A thing that never happened is ``null``, in JSON and nowhere a placeholder.
    """
    instances = {name: each for name, each in sorted(service.instances.items()) if scope.instance in ("", name)}
    recovery = [service.hold, *(each.recovery for each in instances.values())]
    deployment = service.deployment
    opened = max((track for track in (*recovery, deployment) if track.is_open), key=lambda track: track.opened_at, default=None)
    failed = max(recovery, key=lambda track: track.last_failure_time)
    return {
        "status": _state(any(track.is_open for track in (*recovery, deployment))),
        "recovery_status": _state(any(track.is_open for track in recovery)),
        "deployment_status": _state(deployment.is_open),
        "recovery_failure_count": max(track.failure_count for track in recovery),
        "deployment_failure_count": deployment.failure_count,
        "recovery_threshold": service.threshold(RECOVERY),
        "deployment_threshold": service.threshold(DEPLOYMENT),
        "last_recovery_failure_time": failed.last_failure_time or None,
        "last_recovery_failure_reason": failed.last_failure_reason or None,
        "last_deployment_failure_time": deployment.last_failure_time or None,
        "last_deployment_failure_reason": deployment.last_failure_reason or None,
        "opened_at": opened.opened_at if opened else None,
        "opened_by": (opened.opened_by or None) if opened else None,
        "last_trigger": _newest(recovery, deployment).last_trigger or None,
        "trigger_reason": _newest(recovery, deployment).trigger_reason or None,
        "last_override": None,
        "override_by": None,
        "override_reason": None,
        "scope": str(scope),
        "paused": _pause_text(environment, service, scope, now),
        "session": service.session.id if service.session else None,
        "instances": {name: _instance(each, now) for name, each in instances.items()},
    }


def history(service: Service, scope: Scope) -> list[dict[str, Any]]:
    """The settled attempts of a service or an instance, oldest first."""
    found = [(record, name) for name, each in service.instances.items() if scope.instance in ("", name) for record in each.records]
    return [_record(scope.of(name), record) for record, name in sorted(found, key=lambda pair: (pair[0].started_at, pair[1]))]


def export(service: Service, scope: Scope, environment: Environment, events: Iterable[Event], now: datetime) -> dict[str, Any]:
    """The comprehensive status and logs the document asks for."""
    shown = status(service, scope, environment, now)
    recovery = any(exceeded(each.recovery, service.threshold(RECOVERY)) for name, each in service.instances.items() if scope.instance in ("", name))
    deployment = exceeded(service.deployment, service.threshold(DEPLOYMENT))
    return {
        **shown,
        "timestamp": to_text(now),
        "recovery_history": history(service, scope),
        "event_log": [event.to_json() for event in events],
        "threshold_status": {
            "recovery_threshold_exceeded": recovery,
            "deployment_threshold_exceeded": deployment,
            "any_threshold_exceeded": recovery or deployment,
        },
    }


def _state(is_open: bool) -> str:
    return OPEN if is_open else "closed"


def _newest(recovery: list[Track], deployment: Track) -> Track:
    return max((*recovery, deployment), key=lambda track: track.opened_at)


def _pause_text(environment: Environment, service: Service, scope: Scope, now: datetime) -> str | None:
    pauses = (environment.pause, service.pause, service.instance(scope.instance).pause)
    return next((text for pause in pauses if (text := held(pause, now))), None)


def held(pause: Pause | None, now: datetime) -> str | None:
    """A pause in words while it is in force, else ``None``."""
    return f"until {pause.until} by {pause.by}: {pause.reason}" if pause is not None and pause_holds(pause, now) else None


def _instance(instance: Instance, now: datetime) -> dict[str, Any]:
    last = instance.samples[-1] if instance.samples else None
    track = instance.recovery
    return {
        "status": track.status,
        "failure_count": track.failure_count,
        "last_failure_time": track.last_failure_time or None,
        "last_failure_reason": track.last_failure_reason or None,
        "opened_at": track.opened_at or None,
        "verdict": last.verdict if last else None,
        "measured_at": last.at if last else None,
        "cooling_until": instance.cooling_until or None,
        "paused": held(instance.pause, now),
        "proving_since": instance.provisional.recovered_at if instance.provisional else None,
    }


def _record(scope: Scope, record: Record) -> dict[str, Any]:
    return {
        "session_id": record.session_id,
        "scope": str(scope),
        "started_at": record.started_at,
        "settled_at": record.settled_at,
        "outcome": record.outcome,
        "reason": record.reason,
        "rung": record.rung or None,
        "triggered_by": record.triggered_by,
        "detail": record.detail or None,
    }
