# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the service answer over HTTP? (contract, "Verdict", kind ``http``)."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
from dataclasses import dataclass, replace
from typing import Any, Mapping, cast
from urllib.parse import quote, unquote, urljoin, urlsplit

from ..._domain.errors import BadInput
from ..._domain.masking import SHORTEST_SECRET
from ..._domain.verdict import FAILED, HEALTHY, SOFT
from ..deadline import TIMEOUTS, Deadline, DeadlineSocket
from .kind import Context, Kind, Option, Result, Unmeasured
from .reach import Failed, Silent, connect, explain

_PAUSE_S = 1.0
_MOST_REDIRECTS = 3
_BODY_LIMIT = 64 * 1024
_BODY_SECONDS = 1.0
_MOST_ATTEMPTS = 10


@dataclass(frozen=True)
class _Target:
    """Where to ask; ``shown`` is how it is spoken of: without user, password and query."""

    scheme: str
    host: str
    port: int
    path: str
    user_info: str
    shown: str

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host.lower(), self.port


@dataclass(frozen=True)
class _Response:
    status: int
    location: str
    seconds: float


def measure(context: Context) -> Result:
    """Ask until one answer is good and quick, at most ``attempts`` times."""
    options = context.options
    target = _target(options["url"])
    good: list[_Response] = []
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
        if good and good[-1].seconds * 1000 <= options["slow_ms"]:
            break
    what = f"{options['method']} {target.shown}"
    metrics = {"attempts": len(good) + len(problems), "good": len(good)}
    if good:
        return _judge(what, good, options["slow_ms"], metrics)
    failures = [problem for problem in problems if not isinstance(problem, Unmeasured)]
    if not failures:
        raise Unmeasured(f"{what}: {problems[-1] if problems else 'no time left to ask'}")
    tries = f" ({len(problems)} attempts)" if len(problems) > 1 else ""
    return Result(FAILED, f"{what}: {failures[-1]}{tries}", metrics)


def _judge(what: str, good: list[_Response], slow_ms: int, metrics: Mapping[str, Any]) -> Result:
    mean_ms = round(1000 * sum(answer.seconds for answer in good) / len(good))
    metrics = {**metrics, "status": good[-1].status, "latency_ms": mean_ms}
    if mean_ms > slow_ms:
        return Result(SOFT, f"{what} answered {good[-1].status}, but took {mean_ms} ms on average (more than {slow_ms})", metrics)
    return Result(HEALTHY, f"{what} answered {good[-1].status} in {mean_ms} ms", metrics)


def _attempt(context: Context, target: _Target) -> _Response:
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
                return answer
        elif 200 <= response.status < 300:
            return answer
        if not 300 <= response.status < 400:
            break
        following = _next(target, response.location)
        if following is None:
            if expected:
                break
            return answer
        target = following
    else:
        raise Failed(f"redirected in circles: {_MOST_REDIRECTS + 1} answers {response.status} in a row")
    raise Failed(f"answered {response.status}, expected {', '.join(map(str, expected)) or '2xx or 3xx'}")


def _ask_in_time(context: Context, target: _Target, deadline: Deadline) -> _Response:
    try:
        return _ask(target, context.options, deadline)
    except Silent as silence:
        if context.cut_short and deadline.seconds < context.options["attempt_timeout"]:
            raise Unmeasured("the measurement's deadline came before an answer") from silence
        raise


def _ask(target: _Target, options: Mapping[str, Any], deadline: Deadline) -> _Response:
    began = time.monotonic()
    sock = connect(target.host, target.port, deadline)
    try:
        if target.scheme == "https":
            sock = _secure(sock, target.host, options["validate_certs"], deadline)
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.sock = cast("socket.socket", DeadlineSocket(sock, deadline))
        connection.request(options["method"], target.path, headers=_headers(target, options))
        response = connection.getresponse()
        seconds = time.monotonic() - began
        _swallow(response)
        return _Response(response.status, response.getheader("Location") or "", seconds)
    except TIMEOUTS as error:
        raise Silent(f"no answer within {deadline.seconds:.1f} s") from error
    except http.client.RemoteDisconnected as error:
        raise Failed("hung up without an answer") from error
    except (http.client.HTTPException, ValueError) as error:
        raise Failed(f"does not answer in HTTP ({type(error).__name__})") from error
    except OSError as error:
        raise explain(error) from error
    finally:
        sock.close()


def _secure(sock: socket.socket, host: str, validate: bool, deadline: Deadline) -> socket.socket:
    context = ssl.create_default_context()
    if not validate:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    sock.settimeout(deadline.require())
    try:
        return context.wrap_socket(sock, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        # No rung cures a certificate, and whether it is good depends on what this host trusts: a person has to look.
        raise Unmeasured(f"this host does not trust the certificate: {error.verify_message}") from error
    except TIMEOUTS as error:
        raise Silent(f"no TLS within {deadline.seconds:.1f} s") from error
    except ssl.SSLError as error:
        raise Failed(f"does not speak TLS ({error.reason or type(error).__name__})") from error


def _swallow(response: http.client.HTTPResponse) -> None:
    """Take a small body off the server's hands, so that a probe does not leave broken pipes in its log; it decides nothing."""
    end = time.monotonic() + _BODY_SECONDS
    left = _BODY_LIMIT
    try:
        while left > 0 and time.monotonic() < end:
            piece = response.read1(min(left, 8192))
            if not piece:
                break
            left -= len(piece)
    except (OSError, http.client.HTTPException, ValueError):
        pass
    finally:
        response.close()


def _headers(target: _Target, options: Mapping[str, Any]) -> dict[str, str]:
    headers = {"User-Agent": "selfheal-recovery", "Accept": "*/*", "Connection": "close"}
    if target.user_info:
        headers["Authorization"] = "Basic " + base64.b64encode(unquote(target.user_info).encode()).decode("ascii")
    return {**headers, **options["headers"], **options["secret_headers"]}


def _next(target: _Target, location: str) -> _Target | None:
    """Where a redirect leads, if that is the same origin."""
    if not location:
        return None
    try:
        following = _target(urljoin(f"{target.scheme}://{_netloc(target.host, target.port)}{target.path}", location))
    except (BadInput, ValueError):
        return None
    return replace(following, user_info=target.user_info) if following.origin == target.origin else None


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _target(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise BadInput("expected the url of an http probe to be like http://localhost:8080/health")
    port = port or (443 if parts.scheme == "https" else 80)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
    user_info = parts.netloc.rpartition("@")[0]
    shown = f"{parts.scheme}://{_netloc(host, port) if parts.port else host}{path}{'?…' if query else ''}"
    return _Target(parts.scheme, host, port, path + query, user_info, shown)


def _check_url(url: str) -> None:
    _target(url)


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not name or not name.isascii() or not name.replace("-", "").replace("_", "").isalnum() or not value.isprintable() or not value.isascii():
            raise BadInput(f"expected a header of printable ASCII text, found one named {name!r:.80}")


def _check_secret_headers(headers: Mapping[str, str]) -> None:
    _check_headers(headers)
    if any(len(value) < SHORTEST_SECRET for value in headers.values()):
        raise BadInput(f"expected secret headers of at least {SHORTEST_SECRET} characters: shorter text cannot be hidden without tearing other words apart")


def _check_attempts(attempts: int) -> None:
    if not 1 <= attempts <= _MOST_ATTEMPTS:
        raise BadInput(f"expected 1 to {_MOST_ATTEMPTS} attempts, found {attempts}")


def _check_timeout(seconds: float) -> None:
    if seconds <= 0:
        raise BadInput(f"expected an attempt_timeout above 0, found {seconds:g}")


KIND = Kind(
    name="http",
    measure=measure,
    deadline=25.0,
    options={
        "url": Option("str", required=True, check=_check_url),
        "method": Option("str", default="GET", choices=("GET", "HEAD")),
        "status": Option("list", default=[], elements="int"),
        "headers": Option("dict", default={}, check=_check_headers),
        "secret_headers": Option("dict", default={}, secret=True, check=_check_secret_headers),
        "attempts": Option("int", default=3, check=_check_attempts),
        "attempt_timeout": Option("float", default=10.0, check=_check_timeout),
        "slow_ms": Option("int", default=2000),
        "validate_certs": Option("bool", default=True),
    },
)
