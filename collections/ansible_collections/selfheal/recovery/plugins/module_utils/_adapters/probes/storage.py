# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Is the place where the service keeps its data there, writable, of a sensible size, and are the SQLite files in it in order?"""

from __future__ import annotations

from typing import Any, Mapping

from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY, REPORT, SOFT, UNMEASURED
from ..deadline import TIMEOUTS
from ..helper import ask
from ..sqlite_check import CORRUPT, OK, SLOW
from . import files_look
from .excerpt import excerpt
from .inside import IN_CONTAINER, NOT_RUNNING, running
from .kind import Context, Kind, Option, Result, Unmeasured

_MIB = 2**20
_EVERY_S = 3600.0
_ANSWERING_S = 0.5
_LONGEST_NAME = 100
_LONGEST_WHY = 300


def measure(context: Context) -> Result:
    """Ask a process of its own about the files, and judge what it saw."""
    remembered = context.memory.load().get("databases") or {}
    try:
        facts = _facts(context, remembered)
    except NOT_RUNNING as error:
        return Result(FAILED, error.message)
    if "error" in facts:
        advice = "Run this as root (become: true)" if facts.get("rights") else ""
        raise Unmeasured(str(facts["error"]), advice)
    if not facts["found"]:
        return Result(FAILED, f"{_where(context)} does not exist")
    if facts["kind"] == "other":
        return Result(FAILED, f"{_where(context)} is neither a directory nor a file", remedy=REPORT)
    databases = facts.get("databases") or {}
    answers = {name: told if told["outcome"] in (OK, CORRUPT, SLOW) else remembered.get(name) for name, told in databases.items()}
    known = {name: told for name, told in answers.items() if told}
    if known != remembered:
        context.memory.save({"databases": known})
    return _judge(context, facts, databases, _metrics(facts, databases, known, context.clock.now().timestamp()))


def _facts(context: Context, remembered: Mapping[str, Any]) -> dict[str, Any]:
    options = context.options
    pid, identity = 0, ""
    if options["in_container"]:
        inspect = running(context)
        pid, identity = int((inspect.get("State") or {}).get("Pid") or 0), str(inspect.get("Id"))
        if pid <= 0:
            raise Unmeasured("the container engine does not say which process of this host the container is")
    request = {
        "what": "storage",
        "path": options["path"],
        "pid": pid,
        "container_id": identity,
        "sqlite": options["sqlite"],
        "every": _EVERY_S,
        "sqlite_seconds": options["sqlite_seconds"],
        "remembered": remembered,
        "seconds": max(0.1, context.deadline.left - _ANSWERING_S),
    }
    try:
        return ask(files_look.__name__, request, context.deadline)
    except TIMEOUTS as error:
        raise Unmeasured(f"{_where(context)} does not answer within {context.deadline.seconds:.1f} s: its file system hangs, or is very slow") from error


def _judge(context: Context, facts: Mapping[str, Any], databases: Mapping[str, Any], metrics: Mapping[str, Any]) -> Result:
    """The worst of what was found. Damage comes first: it must not hide behind something that a rung may cure."""
    where = _where(context)
    corrupt = [_said(context, name, told) for name, told in databases.items() if told["outcome"] == CORRUPT]
    if corrupt:
        return Result(FAILED, f"{where}: {'; '.join(corrupt)}", metrics, REPORT)
    if context.options["writable"] and not facts["writable"]:
        if facts["read_only"]:
            return Result(FAILED, f"{where} is on a file system that is mounted read-only", metrics, REPORT)
        return Result(FAILED, f"{where} is not writable for the user with id {facts['user']}", metrics)
    size, limit = facts["bytes"], context.options["soft_mib"] * _MIB
    if size > limit:
        return Result(SOFT, f"{where} takes up {size / _MIB:.0f} MiB (more than {context.options['soft_mib']})", metrics, REPORT)
    unknown = [_said(context, name, told) for name, told in databases.items() if told["outcome"] != OK]
    unknown += [str(facts["databases_error"])] if "databases_error" in facts else []
    unknown += [] if facts["complete"] else ["it could not be counted to the end, so its size is not known"]
    if unknown:
        return Result(UNMEASURED, f"{where} is there{_and_writable(context)}, but: {'; '.join(unknown)}", metrics)
    return Result(HEALTHY, f"{where} is there{_and_writable(context)}, and takes up {size / _MIB:.1f} MiB{_in_order(databases)}", metrics)


def _metrics(facts: Mapping[str, Any], databases: Mapping[str, Any], known: Mapping[str, Any], now: float) -> dict[str, Any]:
    """Numbers; ``sqlite_age_s`` is the age of the oldest answer about a database that stands."""
    metrics: dict[str, Any] = {"mib": round(facts["bytes"] / _MIB, 1), "files": facts["files"], "writable": facts["writable"]}
    ages = [max(0, round(now - told["at"])) for told in known.values()]
    return {**metrics, "databases": len(databases), **({"sqlite_age_s": max(ages)} if ages else {})}


def _where(context: Context) -> str:
    return f"{context.options['path']} in container {context.container}" if context.options["in_container"] else str(context.options["path"])


def _and_writable(context: Context) -> str:
    return " and writable" if context.options["writable"] else ""


def _said(context: Context, name: str, told: Mapping[str, Any]) -> str:
    word = "the SQLite file is damaged" if told["outcome"] == CORRUPT else "the SQLite file was not checked"
    why = f" ({excerpt(str(told['why']), context.mask, _LONGEST_WHY)})" if told["why"] else ""
    return f"{word}: {context.mask(ascii(name)[1:-1])[:_LONGEST_NAME]}{why}"


def _in_order(databases: Mapping[str, Any]) -> str:
    if not databases:
        return ""
    return "; its SQLite file is in order" if len(databases) == 1 else f"; its {len(databases)} SQLite files are in order"


def _check_path(path: str) -> None:
    if not path.startswith("/") or not path.isprintable():
        raise BadInput(f"expected the path of a storage probe to be absolute, found {path!r:.200}")


def _check_positive(number: float) -> None:
    if number <= 0:
        raise BadInput(f"expected soft_mib and sqlite_seconds to be above 0, found {number:g}")


def _check_patterns(patterns: list[str]) -> None:
    if any(not pattern or "/" in pattern for pattern in patterns):
        raise BadInput("expected sqlite to be names or patterns of files right below path, like *.db")


KIND = Kind(
    name="storage",
    measure=measure,
    options={
        "path": Option("str", required=True, check=_check_path),
        "writable": Option("bool", default=True),
        "soft_mib": Option("int", default=500, check=_check_positive),
        "sqlite": Option("list", default=["*.db", "*.sqlite", "*.sqlite3"], elements="str", check=_check_patterns),
        "sqlite_seconds": Option("float", default=3.0, check=_check_positive),
        **IN_CONTAINER,
    },
)
