# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What state does the engine say the container is in?"""

from __future__ import annotations

from typing import Any, Mapping

from ..._domain.container import MISSING, RUNNING, STARTING, facts
from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY, SOFT, UNMEASURED
from ..engine.errors import EngineFailure, NoSuchContainer
from .excerpt import excerpt
from .kind import Context, Kind, Option, Result

_SHOWN = ("state", "health", "exit_code", "oom_killed", "restart_count", "uptime_s")
_LONGEST_OUTPUT = 300


def measure(context: Context) -> Result:
    """Judge the engine's description of the container."""
    try:
        inspect = context.inspect()
    except NoSuchContainer as error:
        return Result(FAILED, error.message, {"state": MISSING})
    known = facts(inspect, "", context.clock.now())
    metrics: dict[str, Any] = {key: known[key] for key in _SHOWN}
    if context.options["stats"] and known["state"] == RUNNING:
        metrics.update(_usage(context, known["id"]))
    status, message = _judge(context, inspect, metrics)
    return Result(status, message, metrics)


def _judge(context: Context, inspect: Mapping[str, Any], metrics: Mapping[str, Any]) -> tuple[str, str]:
    who = f"container {context.container}"
    if metrics["state"] != RUNNING:
        why = "killed for want of memory" if metrics["oom_killed"] else f"exit code {metrics['exit_code']}"
        return FAILED, f"{who} is {metrics['state'] or 'in no known state'}" + (f" ({why})" if metrics["state"] in ("exited", "dead", "restarting") else "")
    if metrics["health"] == STARTING:
        return UNMEASURED, f"{who} is starting: its Docker health check has not finished"
    if metrics["health"] == "unhealthy":
        return FAILED, f"{who} runs, but its Docker health check fails{_last_output(context, inspect)}"
    if metrics["restart_count"] > context.options["max_restarts"]:
        return SOFT, f"{who} runs, but was restarted {metrics['restart_count']} times by the engine (more than {context.options['max_restarts']})"
    return HEALTHY, f"{who} runs" + (" and its Docker health check passes" if metrics["health"] else "")


def _last_output(context: Context, inspect: Mapping[str, Any]) -> str:
    log = ((inspect.get("State") or {}).get("Health") or {}).get("Log") or []
    output = excerpt(str((log[-1] or {}).get("Output") or ""), context.mask, _LONGEST_OUTPUT) if log else ""
    return f": {output}" if output else ""


def _usage(context: Context, identity: str) -> dict[str, Any]:
    """CPU in per cent of one processor and memory in MiB; nothing when the engine does not tell in time."""
    try:
        stats = context.engine.stats(identity, context.deadline)
    except EngineFailure as error:
        return {"stats_error": str(error)[:_LONGEST_OUTPUT]}
    memory = stats.get("memory_stats") or {}
    usage = {
        "memory_mib": round(max(0, (memory.get("usage") or 0) - _file_cache(memory)) / 2**20, 1),
        "memory_limit_mib": round((memory.get("limit") or 0) / 2**20, 1),
    }
    now, before = stats.get("cpu_stats") or {}, stats.get("precpu_stats") or {}
    system = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    if system > 0:
        own = _cpu(now) - _cpu(before)
        usage["cpu_percent"] = round(100 * own / system * (now.get("online_cpus") or 1), 1)
    return usage


def _file_cache(memory: Mapping[str, Any]) -> int:
    detail = memory.get("stats") or {}
    return int(detail.get("total_inactive_file") or detail.get("inactive_file") or 0)


def _cpu(sample: Mapping[str, Any]) -> int:
    return int((sample.get("cpu_usage") or {}).get("total_usage") or 0)


def _check_max_restarts(count: int) -> None:
    if count < 0:
        raise BadInput(f"expected max_restarts to be 0 or more, found {count}")


KIND = Kind(
    name="container",
    measure=measure,
    options={"max_restarts": Option("int", default=5, check=_check_max_restarts), "stats": Option("bool", default=False)},
)
