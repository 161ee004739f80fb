# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One HTTP request to a service, under one deadline: what the kinds ``http`` and ``roundtrip`` share."""

from __future__ import annotations

import base64
import http.client
import socket
import ssl
import time
from dataclasses import dataclass, field, replace
from typing import Any, Mapping, cast
from urllib.parse import quote, unquote, urljoin, urlsplit

from ..._domain.errors import BadInput
from ..._domain.masking import SHORTEST_SECRET
from ..deadline import TIMEOUTS, Deadline, DeadlineSocket
from .certificate import Certificate
from .kind import Option
from .reach import Failed, Silent, connect, explain
from .tls import certificate_of, explain_tls, refusal, secure

_SWALLOWED = 64 * 1024
_SWALLOW_SECONDS = 1.0
_MOST_ATTEMPTS = 10


@dataclass(frozen=True)
class Target:
    """Where to ask; ``shown`` is how it is spoken of: without user, password and query."""

    scheme: str
    host: str
    port: int
    path: str
    user_info: str
    shown: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What a redirect must not leave."""
        return self.scheme, self.host.lower(), self.port

    def next(self, location: str) -> Target | None:
        """Where a redirect to ``location`` leads, if that is the same origin."""
        if not location:
            return None
        try:
            following = target_of(urljoin(f"{self.scheme}://{_netloc(self.host, self.port)}{self.path}", location))
        except (BadInput, ValueError):
            return None
        return replace(following, user_info=self.user_info) if following.origin == self.origin else None


@dataclass(frozen=True)
class Request:
    """What to ask; ``options`` are those of the probe (``HEADER_OPTIONS``, ``tls.TLS_OPTIONS``).

    ``keep`` is how many bytes of the answer's body are wanted: they have to arrive before the deadline. Without any the body decides nothing.
    """

    method: str
    options: Mapping[str, Any]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    keep: int = 0


@dataclass(frozen=True)
class Response:
    """``seconds`` until the head of the answer was there, and of the body what was wanted; ``whole`` says that ``body`` is all of it."""

    status: int
    location: str
    seconds: float
    body: bytes = b""
    whole: bool = False
    certificate: Certificate | None = None


def target_of(url: str) -> Target:
    """The target of a URL; raises ``BadInput``, which does not quote it (it may carry a password)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host or any(ord(char) <= 32 or ord(char) == 127 for char in url):
        raise BadInput("expected the url of a probe to be like http://localhost:8080/health")
    port = port or (443 if parts.scheme == "https" else 80)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
    user_info = parts.netloc.rpartition("@")[0]
    shown = f"{parts.scheme}://{_netloc(host, port) if parts.port else host}{path}{'?…' if query else ''}"
    return Target(parts.scheme, host, port, path + query, user_info, shown)


def ask(target: Target, request: Request, deadline: Deadline) -> Response:
    """The answer to one request; redirects are the caller's business.

    Raises ``Failed`` (refused, reset, not HTTP), ``Silent`` (no answer in time) or ``Unmeasured`` (name not resolved, no route).
    """
    began = time.monotonic()
    sock: socket.socket = connect(target.host, target.port, deadline)
    try:
        if target.scheme == "https":
            sock = secure(sock, target.host, request.options, deadline)
        connection = http.client.HTTPConnection(target.host, target.port)
        exchange = deadline.within(deadline.left)
        connection.sock = cast("socket.socket", DeadlineSocket(sock, exchange))
        connection.request(request.method, target.path, body=request.body, headers=_headers(target, request))
        response = connection.getresponse()
        answer = Response(response.status, response.getheader("Location") or "", time.monotonic() - began, certificate=certificate_of(sock))
        if not request.keep:
            _swallow(response, exchange)
            return answer
        return replace(_with_body(answer, response, request.keep), seconds=time.monotonic() - began)
    except TIMEOUTS as error:
        raise Silent(f"no answer within {deadline.seconds:.1f} s") from error
    except ssl.SSLError as error:
        raise refusal(sock) or explain_tls(error) from error
    except http.client.RemoteDisconnected as error:
        raise Failed("hung up without an answer") from error
    except http.client.IncompleteRead as error:
        raise Failed("hung up before its answer was whole") from error
    except (http.client.HTTPException, ValueError) as error:
        raise Failed(f"does not answer in HTTP ({type(error).__name__})") from error
    except OSError as error:
        raise refusal(sock) or explain(error) from error
    finally:
        sock.close()


def _with_body(answer: Response, response: http.client.HTTPResponse, keep: int) -> Response:
    with response:
        data = response.read(keep + 1)
        # `read(amount)` does not complain about a body that ends before its announced length.
        if len(data) <= keep and response.length:
            raise http.client.IncompleteRead(data, response.length)
    return replace(answer, body=data[:keep], whole=len(data) <= keep)


def _swallow(response: http.client.HTTPResponse, exchange: Deadline) -> None:
    """Take a small body off the server's hands, so that a probe does not leave broken pipes in its log; it decides nothing."""
    exchange.bring_forward(_SWALLOW_SECONDS)
    left = _SWALLOWED
    try:
        while left > 0:
            piece = response.read1(min(left, 8192))
            if not piece:
                break
            left -= len(piece)
    except (OSError, http.client.HTTPException, ValueError):
        pass
    finally:
        response.close()


def _headers(target: Target, request: Request) -> dict[str, str]:
    headers = {"User-Agent": "selfheal-recovery", "Accept": "*/*", "Connection": "close"}
    if target.user_info:
        headers["Authorization"] = "Basic " + base64.b64encode(unquote(target.user_info).encode()).decode("ascii")
    return {**headers, **request.headers, **request.options["headers"], **request.options["secret_headers"]}


def _netloc(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_url(url: str) -> None:
    """``Option.check`` of a URL."""
    target_of(url)


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


# Options of every kind that speaks HTTP.
HEADER_OPTIONS: Mapping[str, Option] = {
    "headers": Option("dict", default={}, check=_check_headers),
    "secret_headers": Option("dict", default={}, secret=True, check=_check_secret_headers),
}

# Options of every kind that asks more than once.
PATIENCE_OPTIONS: Mapping[str, Option] = {
    "attempts": Option("int", default=3, check=_check_attempts),
    "attempt_timeout": Option("float", default=10.0, check=_check_timeout),
}
