# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Do the container's logs tell of errors? Never critical: a service that complains may well serve (contract, "Verdict", kind ``logs``)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Mapping

from ..._domain.container import moment
from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY, REPORT, SOFT
from ..engine.logs import Logs
from .excerpt import excerpt
from .kind import Context, Kind, Option, Probe, Result, Unmeasured
from .pattern import check_patterns, matching

_LINES = 5000
_BYTES = 4 * 1024 * 1024
_LONGEST_LINE = 4096
_LONGEST_WINDOW = 86400.0
_NOTED_LATE = timedelta(seconds=0.5)

# Linear on any text, so that they need no process of their own.
_DEFAULT_PATTERNS = (
    r"\b(?:ERROR|CRITICAL|FATAL|PANIC|EMERG)\b",
    r"^(?:error|fatal|panic)\b|^Traceback \(most recent call last\):",
    r"\b(?:level|lvl|severity)\W{1,5}(?:error|critical|fatal|panic|emerg)\b",
    r"\[(?:\w{1,30}:)?(?:error|crit|alert|emerg|fatal)\]",
)
_DEFAULT = re.compile("|".join(_DEFAULT_PATTERNS))
_COLOUR = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")


def measure(context: Context) -> Result:
    """Count the error lines since the last start, within the window."""
    options = context.options
    inspect = context.inspect()
    logs = _read(context, inspect)
    lines = [_COLOUR.sub("", line[:_LONGEST_LINE]) for line in logs.lines()]
    errors = _errors(context, lines)
    cut = logs.truncated or len(lines) >= _LINES or bool(logs.error)
    if logs.error and len(errors) <= options["soft_errors"]:
        raise Unmeasured(f"the log of container {context.container} could not be read{_driver(inspect)}: {logs.error}")
    metrics = {"error_lines": len(errors), "lines": len(lines), "cut": cut, "window_s": options["window"]}
    if not errors:
        return Result(HEALTHY, f"no error lines{f' among the newest {len(lines)}' if cut else ''} {_span(context)}", metrics)
    found = f"{'at least ' if cut else ''}{len(errors)} error line{'s' if len(errors) > 1 else ''} {_span(context)}"
    last = f", the last: {excerpt(lines[errors[-1]], context.mask)}"
    for status, option in ((FAILED, "failed_errors"), (SOFT, "soft_errors")):
        if len(errors) > options[option]:
            return Result(status, f"{found} (more than {options[option]}){last}", metrics)
    return Result(HEALTHY, found + last, metrics)


def _read(context: Context, inspect: Mapping[str, Any]) -> Logs:
    """The newest lines, so that a flood fits into memory and time."""
    if _driver_of(inspect) == "none":
        raise Unmeasured(f"container {context.container} keeps no log (log driver none)")
    since = context.clock.now() - timedelta(seconds=context.options["window"])
    start = _last_start(inspect)
    if start and start > since:
        since = start
    terminal = bool((inspect.get("Config") or {}).get("Tty"))
    return context.engine.logs(str(inspect.get("Id") or ""), _LINES, terminal, _BYTES, context.deadline, since.timestamp())


def _last_start(inspect: Mapping[str, Any]) -> datetime | None:
    """Before the first line of its last run and after the last line of the one before; ``None`` when there was none before.

    The engine notes a start a little after the program began to write, and an end a little before its last lines are through.
    """
    state = inspect.get("State") or {}
    started, finished = (moment(str(state.get(name) or "")) for name in ("StartedAt", "FinishedAt"))
    if started is None or finished is None:
        return None
    return finished + (started - finished) / 2 if finished <= started else started - _NOTED_LATE


def _errors(context: Context, lines: list[str]) -> list[int]:
    patterns, ignored = context.options["patterns"], context.options["ignore"]
    if patterns:
        return matching(lines, patterns, context.deadline, ignored)
    found = [place for place, line in enumerate(lines) if _DEFAULT.search(line)]
    if not ignored or not found:
        return found
    dropped = set(matching([lines[place] for place in found], ignored, context.deadline))
    return [place for number, place in enumerate(found) if number not in dropped]


def _span(context: Context) -> str:
    return f"of container {context.container} in the last {context.options['window']:g} s"


def _driver_of(inspect: Mapping[str, Any]) -> str:
    return str(((inspect.get("HostConfig") or {}).get("LogConfig") or {}).get("Type") or "")


def _driver(inspect: Mapping[str, Any]) -> str:
    return f" (log driver {_driver_of(inspect)})" if _driver_of(inspect) else ""


def _check_window(seconds: float) -> None:
    if not 1 <= seconds <= _LONGEST_WINDOW:
        raise BadInput(f"expected a window of 1 to {_LONGEST_WINDOW:g} s, found {seconds:g}")


def _check_count(count: int) -> None:
    if count < 0:
        raise BadInput(f"expected a number of error lines, 0 or more, found {count}")


def _check(probe: Probe) -> None:
    if probe.critical:
        raise BadInput(
            f"probe {probe.name!r}: error lines in a log never make a service unhealthy, expected critical to be false",
            "Leave critical out. Measure what the service does with a probe of kind http, tcp or command",
        )
    if probe.options["failed_errors"] < probe.options["soft_errors"]:
        raise BadInput(f"probe {probe.name!r}: expected failed_errors to be at least soft_errors ({probe.options['soft_errors']})")


KIND = Kind(
    name="logs",
    measure=measure,
    remedy=REPORT,
    check=_check,
    options={
        "window": Option("float", default=300.0, check=_check_window),
        "patterns": Option("list", default=[], elements="str", check=check_patterns),
        "ignore": Option("list", default=[], elements="str", check=check_patterns),
        "soft_errors": Option("int", default=10, check=_check_count),
        "failed_errors": Option("int", default=100, check=_check_count),
    },
)
