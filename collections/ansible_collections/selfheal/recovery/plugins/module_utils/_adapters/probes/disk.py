# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is there room left on the host's file systems: space, inodes, and the permission to use them?"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..._domain.errors import BadInput, RecoveryError
from ..._domain.verdict import FAILED, HEALTHY, REPORT, SOFT, UNMEASURED
from ..deadline import TIMEOUTS
from ..helper import ask
from . import files_look
from .kind import Context, Kind, Option, Result, Unmeasured

_MIB = 2**20
_WORST_FIRST = (FAILED, SOFT, UNMEASURED, HEALTHY)


def measure(context: Context) -> Result:
    """Every path; the worst speaks for all."""
    named = list(context.options["paths"])
    paths = named or ["/", *_engines_own(context)]
    try:
        facts = ask(files_look.__name__, {"what": "disk", "paths": paths}, context.deadline)
    except TIMEOUTS as error:
        message = f"{', '.join(paths)}: no answer within {context.deadline.seconds:.1f} s: a file system hangs"
        raise Unmeasured(message) from error
    found: list[tuple[str, str, dict[str, float]]] = []
    for path in paths:
        known = facts.get(path) or {}
        if not named and path != "/" and ("error" in known or known.get("device") == (facts.get("/") or {}).get("device")):
            continue
        found.append(_judge(path, known, context.options))
    found.sort(key=lambda each: _WORST_FIRST.index(each[0]))
    status = found[0][0]
    message = "; ".join(message for each, message, _metrics in found if each == status)
    return Result(status, message, _worst([metrics for _status, _message, metrics in found if metrics]))


def _worst(metrics: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The fullest of each: room is what is short first."""
    worst: dict[str, float] = {}
    for each in metrics:
        for name, value in each.items():
            worst[name] = (min if name == "free_mib" else max)(value, worst.get(name, value))
    return worst


def _engines_own(context: Context) -> list[str]:
    """Where the engine keeps the container's files, which is where it writes; nothing when it does not tell."""
    try:
        inspect = context.inspect()
    except RecoveryError:
        return []
    path, found, _rest = str(inspect.get("HostnamePath") or "").partition("/containers/")
    return [path] if found and path.startswith("/") else []


def _judge(path: str, facts: Mapping[str, Any], options: Mapping[str, Any]) -> tuple[str, str, dict[str, float]]:
    """Status, message and metrics of one path."""
    if "error" in facts or not facts:
        return UNMEASURED, f"{path} cannot be looked at: {facts.get('error', 'no answer')}", {}
    space, inodes = _percent(facts["used"], facts["free"]), _percent(facts["inodes_used"], facts["inodes_free"]) if facts["inodes"] > 0 else None
    metrics = {"used_percent": space, "free_mib": round(facts["free"] / _MIB), "inodes_used_percent": inodes}
    metrics = {name: value for name, value in metrics.items() if value is not None}
    if facts["read_only"]:
        return FAILED, f"the file system of {path} is mounted read-only", metrics
    for status, name in ((FAILED, "failed"), (SOFT, "soft")):
        for what, used, limit in (("full", space, options[f"{name}_percent"]), ("out of inodes", inodes, options[f"inodes_{name}_percent"])):
            if used is not None and used > limit:
                return status, f"the file system of {path} is {used:g} % {what} (more than {limit})", metrics
    return HEALTHY, f"{path} is {space:g} % full" if space is not None else f"{path} has no limits of space", metrics


def _percent(used: int, free: int) -> float | None:
    """How much of what a service may use is used: blocks kept for root are not for it. ``None`` for a file system that does not count them."""
    return round(100 * used / (used + free), 1) if used + free > 0 else None


def _check_paths(paths: list[str]) -> None:
    if any(not path.startswith("/") or not path.isprintable() for path in paths):
        raise BadInput("expected the paths of a disk probe to be absolute")


def _check_percent(percent: int) -> None:
    if not 1 <= percent <= 100:
        raise BadInput(f"expected a limit from 1 to 100 per cent, found {percent}")


KIND = Kind(
    name="disk",
    measure=measure,
    remedy=REPORT,
    options={
        "paths": Option("list", default=[], elements="str", check=_check_paths),
        "soft_percent": Option("int", default=85, check=_check_percent),
        "failed_percent": Option("int", default=95, check=_check_percent),
        "inodes_soft_percent": Option("int", default=85, check=_check_percent),
        "inodes_failed_percent": Option("int", default=95, check=_check_percent),
    },
)
