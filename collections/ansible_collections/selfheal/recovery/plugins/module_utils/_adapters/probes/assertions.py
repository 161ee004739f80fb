# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the body of an answer has to say: a text in it, a pattern, conditions on its JSON."""

from __future__ import annotations

import json
import operator
import re
from typing import Any, Callable, Mapping, Sequence

from ..._domain.errors import BadInput
from ..deadline import Deadline
from .excerpt import excerpt
from .kind import Option, Unmeasured
from .pattern import check_pattern, matching
from .reach import Failed
from .request import Response

BODY_LIMIT = 256 * 1024
_CONDITION = re.compile(r"([^\s=!<>]+)\s*(==|!=|<=|>=|<|>)\s*(\S.*)", re.DOTALL)
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
MISSING = object()


def wanted(options: Mapping[str, Any]) -> bool:
    """Does the body decide anything?"""
    return bool(options["contains"] or options["matches"] or options["json"])


def judge(response: Response, options: Mapping[str, Any], mask: Callable[[str], str], deadline: Deadline) -> None:
    """Raises ``Failed`` when the body does not say what it has to, ``Unmeasured`` when that cannot be told."""
    text = response.body.decode("utf-8", "replace")
    try:
        if options["contains"] and options["contains"] not in text:
            raise Failed(f"its answer does not contain {options['contains']!r:.100}: {_beginning(text, mask)}")
        if options["matches"] and not matching([text], [options["matches"]], deadline):
            raise Failed(f"its answer does not match {options['matches']!r:.100}: {_beginning(text, mask)}")
        if options["json"]:
            _judge_json(text, options["json"], mask)
    except Failed as problem:
        if response.whole:
            raise
        raise Unmeasured(f"{problem}; only its first {BODY_LIMIT // 1024} KiB were looked at") from problem


def _judge_json(text: str, conditions: Sequence[str], mask: Callable[[str], str]) -> None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise Failed(f"its answer is not JSON: {_beginning(text, mask)}") from None
    for condition in conditions:
        path, comparison, expected = _parse(condition)
        found = at(data, path)
        if found is MISSING:
            raise Failed(f"its JSON has no {path}, expected {condition!r:.100}")
        if not _holds(found, comparison, expected):
            raise Failed(f"expected {condition!r:.100}, found {excerpt(json.dumps(found, ensure_ascii=False), mask)}")


def _parse(condition: str) -> tuple[str, str, Any]:
    parts = _CONDITION.fullmatch(condition.strip())
    if not parts:
        raise BadInput(f"expected a condition like 'status == ok' or 'queue.length < 100', found {condition!r:.100}")
    path, comparison, text = parts.groups()
    try:
        expected = json.loads(text)
    except (ValueError, RecursionError):
        expected = text
    if comparison in _ORDER and not _is_number(expected):
        raise BadInput(f"expected a number after {comparison}, found {condition!r:.100}")
    return path, comparison, expected


def at(data: Any, path: str) -> Any:
    """The value at a dotted path; a number is a place in a list."""
    for part in path.split("."):
        if isinstance(data, dict) and part in data:
            data = data[part]
        elif isinstance(data, list) and part.isdecimal() and part.isascii() and int(part) < len(data):
            data = data[int(part)]
        else:
            return MISSING
    return data


def _holds(found: Any, comparison: str, expected: Any) -> bool:
    if comparison in _ORDER:
        return _is_number(found) and _ORDER[comparison](found, expected)
    # To Python true is 1; to JSON it is not.
    same = found == expected and isinstance(found, bool) == isinstance(expected, bool)
    return same if comparison == "==" else not same


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _beginning(text: str, mask: Callable[[str], str]) -> str:
    return f"it begins with {excerpt(text, mask)!r}" if text.strip() else "it is empty"


def _check_text(text: str) -> None:
    if not text:
        raise BadInput("expected a text that the answer has to contain, found an empty one")


def _check_conditions(conditions: Sequence[str]) -> None:
    for condition in conditions:
        _parse(condition)


ASSERTION_OPTIONS: Mapping[str, Option] = {
    "contains": Option("str", default="", check=_check_text),
    "matches": Option("str", default="", check=check_pattern),
    "json": Option("list", default=[], elements="str", check=_check_conditions),
}
