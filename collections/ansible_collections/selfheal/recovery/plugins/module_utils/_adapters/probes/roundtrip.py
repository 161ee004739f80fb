# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the service keep what it is given? Write a marker over HTTP, read it back, compare, delete it.

The marker is new each time, and it is written once: an answer that got lost is never asked for again by writing again. Whatever could be read
back, deleting is tried, in time that is kept for it; what may be left behind is named. Nothing is deleted that may be somebody else's.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, replace
from typing import Mapping
from urllib.parse import quote

from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY, REPORT, SOFT
from ..deadline import Deadline
from .assertions import MISSING, at
from .kind import Context, Kind, Option, Probe, Result, Unmeasured
from .reach import Failed, Silent
from .request import HEADER_OPTIONS, PATIENCE_OPTIONS, Request, Response, Target, ask, check_url, target_of
from .tls import TLS_OPTIONS, BadCertificate

MARKER, LOCATION = "{marker}", "{location}"
_HEADER, _JSON, _BODY, _NONE = "header", "json", "body", "none"
_KEPT = 256 * 1024
_LONGEST_LOCATION = 2048
_PAUSE_S = 1.0
_MOST_REDIRECTS = 3
_DELETIONS = 2
_GONE = (404, 410)
_ASK_ELSEWHERE = (301, 307, 308)  # "do this again over there" (RFC 9110, 15.4): nothing was done here
# Shares of the time that is left: the rest is kept for what comes after, so that a slow service does not cost the clean-up.
_FOR_WRITING, _FOR_READING = 0.4, 0.6


@dataclass(frozen=True)
class _Written:
    """Where a marker lies: what to read, and what to delete; ``None`` where the service did not say.

    It is not ``certain`` while only a redirect led there: that may be a list, or a page to log in.
    """

    read: Target | None
    delete: Target | None
    certain: bool = True


class _Declined(Failed):
    """The service did not take what was to be written."""


def measure(context: Context) -> Result:
    """Write, read back, compare; and delete, whatever came of it."""
    options, marker = context.options, f"selfheal-roundtrip-{secrets.token_hex(8)}"
    target = target_of(options["url"].replace(MARKER, marker))
    try:
        answer = _write(context, target, marker)
        written = _where(context, target, answer, marker)
    except Failed as problem:
        message = f"{options['write_method']} {target.shown}: {problem}"
        if _was_not_taken(problem):
            return Result(FAILED, message, {"left_behind": False}, problem.remedy)
        return _failed(context, message, problem, _guess(context, target, marker), marker)
    except Unmeasured as inability:
        if not isinstance(inability.__cause__, Silent):
            raise
        raise _with_rest(inability.message, _clean_up(context, _guess(context, target, marker), marker)) from None
    try:
        seconds = answer.seconds + _read_back(context, written, marker)
    except Failed as problem:
        return _failed(context, f"GET {_shown(written.read)}: {problem}", problem, written, marker)
    except Unmeasured as inability:
        raise _with_rest(f"GET {_shown(written.read)}: {inability.message}", _clean_up(context, written, marker)) from None
    return _judge(context, target, seconds, _clean_up(context, replace(written, certain=True), marker))


def _judge(context: Context, target: Target, seconds: float, left: str) -> Result:
    latency_ms, slow_ms = round(1000 * seconds), context.options["slow_ms"]
    metrics = {"latency_ms": latency_ms, "left_behind": bool(left)}
    what = f"what was written to {target.shown} was read back in {latency_ms} ms"
    if left:
        return Result(SOFT, f"{what}; {left}", metrics, REPORT)
    if latency_ms > slow_ms:
        return Result(SOFT, f"{what} (more than {slow_ms})", metrics)
    return Result(HEALTHY, f"{what}, and deleted", metrics)


def _failed(context: Context, message: str, problem: Failed, written: _Written, marker: str) -> Result:
    left = _clean_up(context, written, marker)
    return Result(FAILED, message + (f"; {left}" if left else ""), {"left_behind": bool(left)}, problem.remedy)


def _with_rest(message: str, left: str) -> Unmeasured:
    return Unmeasured(message + (f"; {left}" if left else ""))


def _write(context: Context, target: Target, marker: str) -> Response:
    """The answer to the one write. No second one is tried: the first may have been obeyed, whatever became of its answer."""
    options = context.options
    headers = {name: value.replace(MARKER, marker) for name, value in options["write_headers"].items()}
    request = Request(options["write_method"], options, options["body"].replace(MARKER, marker).encode(), headers, _KEPT)
    answer = _ask(context, target, request, context.deadline.left * _FOR_WRITING)
    if 400 <= answer.status < 500 or answer.status in _ASK_ELSEWHERE:
        raise _Declined(_unexpected(answer, 400))
    _expect(answer, 200, 400)
    return answer


def _was_not_taken(problem: Failed) -> bool:
    """Whether the write surely left nothing: it was declined, or never came to be asked for."""
    return isinstance(problem, (_Declined, BadCertificate)) or isinstance(problem.__cause__, ConnectionRefusedError)


def _where(context: Context, target: Target, answer: Response, marker: str) -> _Written:
    """Where the service says it put the marker; raises ``Failed``."""
    source = context.options["location"]
    location = ""
    if source == _HEADER:
        location = answer.location
    elif source == _BODY:
        location = answer.body[: _LONGEST_LOCATION + 1].decode("utf-8", "replace").strip()
    elif source == _JSON:
        location = _field(answer, context.options["location_field"])
    if source != _NONE and (not location or not location.isprintable() or len(location) > _LONGEST_LOCATION):
        raise Failed(f"answered {answer.status}, but does not say where it put it (expected it in the {_PLACES[source]})")
    read, delete = context.options["read_url"], context.options["delete_url"]
    certain = source == _NONE or answer.status < 300
    return _Written(_place(target, read, marker, location), _place(target, delete or read, marker, location), certain)


def _field(answer: Response, path: str) -> str:
    try:
        found = at(json.loads(answer.body), path)
    except (ValueError, RecursionError):
        raise Failed(f"answered {answer.status}, but not in JSON") from None
    return "" if found is MISSING or isinstance(found, (dict, list, bool)) or found is None else str(found)


def _guess(context: Context, target: Target, marker: str) -> _Written:
    """Where the marker lies if the service took it without saying so: known when the place depends on the marker alone."""
    options = context.options
    url = options["delete_url"] or options["read_url"]
    if options["location"] == _NONE and LOCATION not in url:
        try:
            return _Written(None, _place(target, url, marker, ""))
        except Failed:
            pass
    return _Written(None, None)


def _place(target: Target, template: str, marker: str, location: str) -> Target:
    """The target of a template, which must be on the host that was written to; raises ``Failed``."""
    if template in ("", LOCATION):
        url = location or target.path
    else:
        url = template.replace(MARKER, marker).replace(LOCATION, quote(location, safe=""))
    place = target.next(url)
    if place is None:
        raise Failed("says that it put it on another host, which is not asked")
    return place


def _read_back(context: Context, written: _Written, marker: str) -> float:
    """Seconds that reading it took; tried again while the service does not have it yet. Raises ``Failed`` or ``Unmeasured``."""
    deadline = context.deadline.within(context.deadline.left * _FOR_READING)
    problem: Failed | Unmeasured = Failed("there was no time left to read it back")
    for attempt in range(context.options["attempts"]):
        if attempt:
            context.clock.sleep(min(_PAUSE_S, deadline.left))
        if deadline.left <= 0 or written.read is None:
            break
        try:
            answer = _follow(context, written.read, deadline)
        except (Failed, Unmeasured) as found:
            problem = found
            continue
        if marker.encode() in answer.body:
            return answer.seconds
        problem = Failed(f"answered {answer.status}, but not with what was written")
    raise problem


def _follow(context: Context, target: Target, deadline: Deadline) -> Response:
    for _hop in range(_MOST_REDIRECTS + 1):
        answer = _ask(context, target, Request("GET", context.options, keep=_KEPT), deadline.left)
        following = target.next(answer.location) if 300 <= answer.status < 400 else None
        if following is None:
            _expect(answer, 200, 300)
            return answer
        target = following
    raise Failed(f"redirected in circles: {_MOST_REDIRECTS + 1} redirects in a row")


def _clean_up(context: Context, written: _Written, marker: str) -> str:
    """Delete the marker; what may be left behind and why, empty when it is gone."""
    if written.delete is None:
        return f"the marker {marker} may be left behind: the service did not say where it put it"
    if not written.certain:
        return f"the marker {marker} may be left behind: {written.delete.shown} was not deleted, because only a redirect led there"
    why = "no time was left to delete it"
    for attempt in range(_DELETIONS):
        if attempt:
            context.clock.sleep(min(_PAUSE_S, context.deadline.left))
        if context.deadline.left <= 0:
            break
        try:
            answer = _ask(context, written.delete, Request(context.options["delete_method"], context.options), context.deadline.left / (_DELETIONS - attempt))
            if answer.status not in _GONE:
                _expect(answer, 200, 400)
            return ""
        except (Failed, Unmeasured) as problem:
            why = str(problem)
    return f"the marker {marker} is left behind: {context.options['delete_method']} {written.delete.shown}: {why}"


def _ask(context: Context, target: Target, request: Request, seconds: float) -> Response:
    deadline = context.deadline.within(min(seconds, context.options["attempt_timeout"]))
    try:
        return ask(target, request, deadline)
    except Silent as silence:
        if context.cut_short and deadline.seconds < context.options["attempt_timeout"]:
            raise Unmeasured("the measurement's deadline came before an answer") from silence
        raise Failed(str(silence)) from silence


def _expect(answer: Response, lowest: int, above: int) -> None:
    if not lowest <= answer.status < above or answer.status in _ASK_ELSEWHERE:
        raise Failed(_unexpected(answer, above))


def _unexpected(answer: Response, above: int) -> str:
    if answer.status in _ASK_ELSEWHERE:
        return f"answered {answer.status}, which sends the request elsewhere: name the address that does it"
    return f"answered {answer.status}, expected {'2xx' if above == 300 else '2xx or 3xx'}"


def _shown(target: Target | None) -> str:
    return target.shown if target else "(nowhere)"


_PLACES: Mapping[str, str] = {_HEADER: "Location header", _JSON: "field location_field of its JSON", _BODY: "body"}


def _check_template(url: str) -> None:
    if url.startswith(("http://", "https://")):
        check_url(url.replace(MARKER, "m").replace(LOCATION, "l"))
    elif url and not url.startswith(("/", "{")):
        raise BadInput("expected read_url and delete_url to be URLs, or paths beginning with a slash")


def _check_written_url(url: str) -> None:
    check_url(url.replace(MARKER, "m"))


def _check(probe: Probe) -> None:
    options = probe.options
    who = f"probe {probe.name!r}"
    if not any(MARKER in text for text in (options["url"], options["body"], *options["write_headers"].values())):
        raise BadInput(f"{who}: expected {MARKER} in its url, its body or its write_headers: nothing else tells what was written from what was there")
    if (options["location"] == _JSON) != bool(options["location_field"]):
        raise BadInput(f"{who}: expected location_field together with location=json, and only then")
    if options["location"] == _NONE and MARKER not in (options["read_url"] or options["url"]):
        raise BadInput(f"{who}: expected {MARKER} in read_url or in url, because location=none")
    target = target_of(options["url"].replace(MARKER, "m"))
    for name in ("read_url", "delete_url"):
        template = options[name].replace(MARKER, "m").replace(LOCATION, "l")
        if template and target.next(template) is None:
            raise BadInput(f"{who}: expected {name} on the host and port of url")


KIND = Kind(
    name="roundtrip",
    measure=measure,
    deadline=25.0,
    writes=True,
    check=_check,
    options={
        "url": Option("str", required=True, check=_check_written_url),
        "write_method": Option("str", default="POST", choices=("POST", "PUT")),
        "body": Option("str", default=MARKER),
        "write_headers": Option("dict", default={}, check=HEADER_OPTIONS["headers"].check),
        "location": Option("str", default=_HEADER, choices=(_HEADER, _JSON, _BODY, _NONE)),
        "location_field": Option("str", default=""),
        "read_url": Option("str", default="", check=_check_template),
        "delete_url": Option("str", default="", check=_check_template),
        "delete_method": Option("str", default="DELETE", choices=("DELETE", "POST")),
        **HEADER_OPTIONS,
        **PATIENCE_OPTIONS,
        "slow_ms": Option("int", default=2000),
        **TLS_OPTIONS,
    },
)
