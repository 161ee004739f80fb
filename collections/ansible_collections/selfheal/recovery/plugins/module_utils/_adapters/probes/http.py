# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the service answer over HTTP? (contract, "Verdict", kind ``http``)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping
from urllib.parse import unquote

from ..._domain.errors import BadInput
from ..._domain.masking import Masker
from ..._domain.verdict import FAILED, HEALTHY, SOFT
from ..deadline import Deadline
from . import assertions
from .certificate import CERTIFICATE_OPTIONS
from .kind import Context, Kind, Option, Probe, Result, Unmeasured
from .reach import Failed, Silent
from .request import HEADER_OPTIONS, PATIENCE_OPTIONS, Request, Response, Target, ask, check_url, target_of
from .tls import TLS_OPTIONS, BadCertificate

_PAUSE_S = 1.0
_MOST_REDIRECTS = 3


def measure(context: Context) -> Result:
    """Ask until one answer is good and quick, at most ``attempts`` times."""
    options = context.options
    target = target_of(options["url"])
    good: list[Response] = []
    problems: list[Exception] = []
    for attempt in range(options["attempts"]):
        if attempt:
            context.clock.sleep(min(_PAUSE_S, context.deadline.left))
        if context.deadline.left <= 0:
            break
        try:
            good.append(_attempt(context, target))
        except (Failed, Silent, Unmeasured) as problem:
            problems.append(problem)
        if problems and isinstance(problems[-1], BadCertificate):
            break  # it will be the same in a second
        if good and good[-1].seconds * 1000 <= options["slow_ms"]:
            break
    what = f"{options['method']} {target.shown}"
    metrics = {"attempts": len(good) + len(problems), "good": len(good)}
    if good:
        return _judge(context, what, good, metrics)
    failures = [problem for problem in problems if not isinstance(problem, Unmeasured)]
    if not failures:
        raise Unmeasured(f"{what}: {problems[-1] if problems else 'no time left to ask'}")
    tries = f" ({len(problems)} attempts)" if len(problems) > 1 else ""
    return Result(FAILED, f"{what}: {failures[-1]}{tries}", metrics, remedy=failures[-1].remedy if isinstance(failures[-1], Failed) else "")


def _judge(context: Context, what: str, good: list[Response], metrics: Mapping[str, Any]) -> Result:
    slow_ms, certificate = context.options["slow_ms"], good[-1].certificate
    mean_ms = round(1000 * sum(answer.seconds for answer in good) / len(good))
    metrics = {**metrics, "status": good[-1].status, "latency_ms": mean_ms}
    result = Result(HEALTHY, f"{what} answered {good[-1].status} in {mean_ms} ms", metrics)
    if mean_ms > slow_ms:
        result = replace(result, status=SOFT, message=f"{what} answered {good[-1].status}, but took {mean_ms} ms on average (more than {slow_ms})")
    return certificate.judge(result, context.clock.now(), context.options["certificate_days"]) if certificate else result


def _attempt(context: Context, target: Target) -> Response:
    """One question, and where its answer points to while that is the same host and port."""
    options = context.options
    deadline = context.deadline.within(options["attempt_timeout"])
    expected = options["status"]
    seconds = 0.0
    for _hop in range(_MOST_REDIRECTS + 1):
        response = _ask_in_time(context, target, deadline)
        seconds += response.seconds
        answer = replace(response, seconds=seconds)
        if expected:
            if response.status in expected:
                return _asserted(context, target, answer, deadline)
        elif 200 <= response.status < 300:
            return _asserted(context, target, answer, deadline)
        if not 300 <= response.status < 400:
            break
        following = target.next(response.location)
        if following is None:
            if expected:
                break
            return _asserted(context, target, answer, deadline)
        target = following
    else:
        raise Failed(f"redirected in circles: {_MOST_REDIRECTS + 1} answers {response.status} in a row")
    raise Failed(f"answered {response.status}, expected {', '.join(map(str, expected)) or '2xx or 3xx'}")


def _asserted(context: Context, target: Target, answer: Response, deadline: Deadline) -> Response:
    """``answer``, when its body says what it has to."""
    if assertions.wanted(context.options):
        own = Masker(f"={secret}" for secret in (*context.options["secret_headers"].values(), unquote(target.user_info).partition(":")[2]))
        assertions.judge(answer, context.options, lambda text: own.text(context.mask(text)), deadline)
    return answer


def _ask_in_time(context: Context, target: Target, deadline: Deadline) -> Response:
    keep = assertions.BODY_LIMIT if assertions.wanted(context.options) else 0
    try:
        return ask(target, Request(context.options["method"], context.options, keep=keep), deadline)
    except Silent as silence:
        if context.cut_short and deadline.seconds < context.options["attempt_timeout"]:
            raise Unmeasured("the measurement's deadline came before an answer") from silence
        raise


def _check(probe: Probe) -> None:
    if probe.options["method"] == "HEAD" and assertions.wanted(probe.options):
        raise BadInput(f"probe {probe.name!r}: an answer to HEAD has no body to look into", "Leave method out, or contains, matches and json")


KIND = Kind(
    name="http",
    measure=measure,
    deadline=25.0,
    check=_check,
    options={
        "url": Option("str", required=True, check=check_url),
        "method": Option("str", default="GET", choices=("GET", "HEAD")),
        "status": Option("list", default=[], elements="int"),
        **HEADER_OPTIONS,
        **PATIENCE_OPTIONS,
        "slow_ms": Option("int", default=2000),
        **assertions.ASSERTION_OPTIONS,
        **TLS_OPTIONS,
        **CERTIFICATE_OPTIONS,
    },
)
