# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run did, why, and what a person should do next: one summary, and the same as Markdown and as lines for a terminal."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, Iterable, Mapping

from .advice import needs_person, next_commands

_LONGEST = 500
_MARKDOWN = re.compile(r"[\\`*\[\]|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def summarize(
    run_id: str,
    timestamp: str,
    inputs: Mapping[str, Any],
    begun: Mapping[str, Any],
    decision: Mapping[str, Any],
    probes: Mapping[str, Any],
    steps: Mapping[str, Any],
) -> dict[str, Any]:
    """The run's ``result.json``: the authority on what it came to, per instance and as a whole."""
    instances = {}
    for name, told in sorted(decision.get("instances", {}).items()):
        before = (probes.get(name) or {}).get("health") or {}
        step = steps.get(name) or {}
        after = step.get("health") or before
        instances[name] = {
            "scope": told["scope"],
            "outcome": told["outcome"],
            "reason": told["reason"],
            "detail": told["detail"],
            "admitted_because": (begun.get("instances", {}).get(name) or {}).get("detail", ""),
            "session_id": told["session_id"],
            "rung": told["rung"],
            "verdict_before": before.get("overall_status", ""),
            "verdict_after": after.get("overall_status", ""),
            "waited_s": step.get("waited_s", 0),
            "evidence": (step.get("evidence") or {}).get("path", ""),
            "warnings": list(before.get("warnings", ())),
            "next": next_commands(told["outcome"], told["reason"], told["scope"], _is_open(decision, told["scope"])),
            "health": after,
        }
    needed = sorted(name for name, each in instances.items() if needs_person(each["outcome"], each["reason"]))
    return {
        "run_id": run_id,
        "timestamp": timestamp,
        "inputs": dict(inputs),
        "outcomes": dict(Counter(each["outcome"] for each in instances.values())),
        "needs_person": bool(needed) or not instances,
        "instances": instances,
        "sessions": dict(decision.get("sessions", {})),
        "breakers": dict(decision.get("breakers", {})),
        "headline": _headline(instances, needed),
    }


def lines(summary: Mapping[str, Any]) -> list[str]:
    """The run in a few lines: the headline, and a line for each instance that is not simply well."""
    shown = [plain(summary["headline"])]
    for name, each in summary["instances"].items():
        if (each["outcome"], each["reason"]) != ("none", "not_sick"):
            shown.append(plain(f"{name}: {each['outcome']} ({each['reason']}) {each['detail']}"))
            shown += [plain(f"  next: {command}") for command in each["next"]]
    return shown


def markdown(summary: Mapping[str, Any]) -> str:
    """The run as a page of Markdown. Everything that came from outside is escaped."""
    page = [f"# Recovery {_escape(summary['run_id'])}", "", _escape(summary["headline"]), ""]
    page += [f"- {word}: {_escape(str(value))}" for word, value in (("when", summary["timestamp"]), *summary["inputs"].items()) if value]
    page += ["", "| instance | before | outcome | reason | repaired by | after |", "| --- | --- | --- | --- | --- | --- |"]
    for name, each in summary["instances"].items():
        cells = (name, each["verdict_before"], each["outcome"], each["reason"], each["rung"], each["verdict_after"])
        page.append("| " + " | ".join(map(_escape, cells)) + " |")
    for name, each in summary["instances"].items():
        if (each["outcome"], each["reason"]) != ("none", "not_sick"):
            page += _section(name, each)
    page += ["", "## Circuit breakers", ""]
    page += [f"- {_escape(key)}: {_escape(_breaker(status))}" for key, status in summary["breakers"].items()] or ["- not read"]
    return "\n".join(page) + "\n"


def plain(text: str) -> str:
    """One harmless line of a text from anywhere: no control characters, not longer than 500 characters."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _headline(instances: Mapping[str, Any], needed: list[str]) -> str:
    if not instances:
        return "Nothing was measured, and nothing was done."
    counts = Counter(each["outcome"] for each in instances.values())
    well = sum(each["outcome"] == "none" and each["reason"] == "not_sick" for each in instances.values())
    parts = [f"{well} healthy"] if well else []
    parts += [f"{count} {outcome}" for outcome, count in sorted(counts.items()) if outcome != "none"]
    left = counts["none"] - well
    parts += [f"{left} left alone"] if left else []
    if not needed:
        return f"{', '.join(parts)}. Nobody needs to come."
    first = instances[needed[0]]
    others = f" (and {len(needed) - 1} more)" if len(needed) > 1 else ""
    return plain(f"{', '.join(parts)}. A person is needed: {needed[0]}{others}: {first['reason']}: {first['detail']}")


def _is_open(decision: Mapping[str, Any], scope: str) -> bool:
    """Whether the recovery breaker of an instance is open after the run."""
    service, _slash, name = scope.rpartition("/")
    status = decision.get("breakers", {}).get(service) or {}
    return bool((status.get("instances") or {}).get(name, {}).get("status") == "open")


def _section(name: str, each: Mapping[str, Any]) -> Iterable[str]:
    yield from ("", f"## {_escape(name)}", "", _escape(each["detail"] or each["reason"]), "")
    facts = (("scope", each["scope"]), ("session", each["session_id"]), ("was sick because", each["admitted_because"]), ("evidence", each["evidence"]))
    for word, value in facts:
        if value:
            yield f"- {word}: {_escape(value)}"
    for check in each["health"].get("checks", ()):
        if check["status"] != "healthy":
            yield f"- check {_escape(check['name'])}: {check['status']}, {_escape(check['message'])}"
    for warning in each["warnings"]:
        yield f"- warning: {_escape(warning)}"
    if each["next"]:
        yield from ("", "What to do next:", "")
        yield from (f"- {_escape(command)}" for command in each["next"])


def _breaker(status: Mapping[str, Any]) -> str:
    return (
        f"recovery {status['recovery_status']} ({status['recovery_failure_count']} of {status['recovery_threshold']} failures), "
        f"deployment {status['deployment_status']} ({status['deployment_failure_count']} of {status['deployment_threshold']} failures)"
    )


def _escape(text: str) -> str:
    """``text`` as one line that shows as it is: neither Markdown nor HTML nor a table's next cell."""
    line = plain(text)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        line = line.replace(character, entity)
    line = _MARKDOWN.sub(r"\\\g<0>", line)
    return "\\" + line if line.startswith(("#", "-", "+", "=")) else line
