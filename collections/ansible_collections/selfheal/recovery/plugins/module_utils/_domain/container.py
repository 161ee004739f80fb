# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an engine's inspect answer says about a container, in this project's words."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Iterable, Mapping

from .errors import BadInput
from .times import from_text

RUNNING = "running"
PAUSED = "paused"
RESTARTING = "restarting"
STARTING = "starting"
MISSING = "missing"

# What the engine uses where a health check leaves something out (docs.docker.com/reference/dockerfile, "HEALTHCHECK").
_DEFAULT_INTERVAL_S = 30.0
_DEFAULT_STOP_TIMEOUT_S = 10
_NEVER = "0001-01-01"
_FRACTION = re.compile(r"\.(\d+)")

Inspect = Mapping[str, Any]


def moment(text: str) -> datetime | None:
    """The moment of an engine's time stamp, which carries up to nine digits of a second; ``None`` for "never"."""
    if not text or text.startswith(_NEVER):
        return None
    try:
        return from_text(_FRACTION.sub(lambda match: "." + match[1][:6].ljust(6, "0"), text))
    except BadInput:
        return None


def state_of(inspect: Inspect) -> str:
    """``created``, ``running``, ``paused``, ``restarting``, ``removing``, ``exited`` or ``dead``."""
    return str((inspect.get("State") or {}).get("Status") or "")


def health_of(inspect: Inspect) -> str:
    """``starting``, ``healthy`` or ``unhealthy``; empty without a health check."""
    status = str(((inspect.get("State") or {}).get("Health") or {}).get("Status") or "")
    return "" if status == "none" else status


def uptime_s(inspect: Inspect, now: datetime) -> float:
    """Seconds since its last start; 0 when it does not run, or when the wall clock was set back behind its start."""
    state = inspect.get("State") or {}
    started = moment(str(state.get("StartedAt") or ""))
    if started is None or not state.get("Running"):
        return 0.0
    return max(0.0, (now - started).total_seconds())


def health_check(inspect: Inspect) -> tuple[float, float]:
    """Start period and interval of its Docker health check; 0 and 0 without one."""
    check = (inspect.get("Config") or {}).get("Healthcheck") or {}
    test = check.get("Test") or []
    if not test or test[0] == "NONE":
        return 0.0, 0.0
    return (check.get("StartPeriod") or 0) / 1e9, (check.get("Interval") or 0) / 1e9 or _DEFAULT_INTERVAL_S


def stop_timeout_s(inspect: Inspect) -> int:
    """Seconds the engine waits between SIGTERM and SIGKILL; negative: for ever."""
    configured = (inspect.get("Config") or {}).get("StopTimeout")
    return _DEFAULT_STOP_TIMEOUT_S if configured is None else int(configured)


def environment(inspect: Inspect) -> list[str]:
    """Its environment, ``NAME=value`` each."""
    return list((inspect.get("Config") or {}).get("Env") or [])


def is_starting(inspect: Inspect, grace: float, now: datetime) -> bool:
    """The engine calls it starting, or it runs for less than its ``grace``."""
    if state_of(inspect) != RUNNING:
        return False
    return health_of(inspect) == STARTING or uptime_s(inspect, now) < grace


def repository(reference: str) -> str:
    """The repository of an image reference, without tag and digest: ``localhost:5000/web`` of ``localhost:5000/web:1.2``."""
    name = reference.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}"


def repo_digest(reference: str, repo_digests: Iterable[str]) -> str:
    """``repository@sha256:…`` of a container's image: the one of the repository it was started from, or the only one, or empty."""
    if "@sha256:" in reference:
        return f"{repository(reference)}@{reference.partition('@')[2]}"
    known = sorted(repo_digests)
    wanted = repository(reference)
    for digest in known:
        if repository(digest) == wanted:
            return digest
    return known[0] if len(known) == 1 else ""


def facts(inspect: Inspect, digest: str, now: datetime) -> dict[str, Any]:
    """The part of an inspect answer that decisions are made on."""
    state = inspect.get("State") or {}
    config = inspect.get("Config") or {}
    start_period, interval = health_check(inspect)
    return {
        "found": True,
        "id": str(inspect.get("Id") or ""),
        "name": str(inspect.get("Name") or "").lstrip("/"),
        "state": state_of(inspect),
        "health": health_of(inspect),
        "exit_code": int(state.get("ExitCode") or 0),
        "oom_killed": bool(state.get("OOMKilled")),
        "image": str(inspect.get("Image") or ""),
        "image_ref": str(config.get("Image") or ""),
        "digest": digest,
        "started_at": str(state.get("StartedAt") or ""),
        "uptime_s": round(uptime_s(inspect, now), 1),
        "restart_count": int(inspect.get("RestartCount") or 0),
        "start_period_s": start_period,
        "health_interval_s": interval,
        "stop_timeout_s": stop_timeout_s(inspect),
    }


def missing(name: str) -> dict[str, Any]:
    """``facts`` of a container that is not there."""
    return {**facts({}, "", datetime.min.replace(tzinfo=timezone.utc)), "found": False, "name": name, "state": MISSING, "stop_timeout_s": 0}


def differences(before: Inspect, after: Inspect) -> list[str]:
    """What of a container's identity and configuration differs: it should be nothing after everything but a redeployment."""
    found = [word for word, key in (("id", "Id"), ("image", "Image")) if before.get(key) != after.get(key)]
    for part in ("Config", "HostConfig"):
        old, new = before.get(part) or {}, after.get(part) or {}
        found += [f"{part}.{key}" for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if _networks(before) != _networks(after):
        found.append("networks")
    return found


def _networks(inspect: Inspect) -> dict[str, Any]:
    attached = (inspect.get("NetworkSettings") or {}).get("Networks") or {}
    return {name: [sorted((end or {}).get("Aliases") or []), (end or {}).get("IPAMConfig") or {}] for name, end in attached.items()}
