# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does the service accept a connection, and speak TLS when told to?"""

from __future__ import annotations

import socket
import time
from typing import Any, Mapping

from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY
from ..deadline import Deadline
from .certificate import CERTIFICATE_OPTIONS, Certificate
from .kind import Context, Kind, Option, Result, Unmeasured
from .reach import Failed, Silent, connect
from .tls import TLS_OPTIONS, certificate_of, secure


def measure(context: Context) -> Result:
    """Connect, shake hands if it is TLS, and hang up."""
    host, port = context.options["host"], context.options["port"]
    began = time.monotonic()
    try:
        certificate = _shake_hands(host, port, context.options, context.deadline)
    except Failed as problem:
        return Result(FAILED, f"{host}:{port}: {problem}", remedy=problem.remedy)
    except Silent as silence:
        if context.cut_short:
            raise Unmeasured(f"{host}:{port}: the measurement's deadline came before an answer") from silence
        return Result(FAILED, f"{host}:{port}: {silence}")
    except Unmeasured as inability:
        raise Unmeasured(f"{host}:{port}: {inability.message}") from None
    latency_ms = round(1000 * (time.monotonic() - began))
    result = Result(HEALTHY, f"{host}:{port} accepted a connection in {latency_ms} ms", {"latency_ms": latency_ms})
    return certificate.judge(result, context.clock.now(), context.options["certificate_days"]) if certificate else result


def _shake_hands(host: str, port: int, options: Mapping[str, Any], deadline: Deadline) -> Certificate | None:
    sock: socket.socket = connect(host, port, deadline)
    try:
        if options["tls"]:
            sock = secure(sock, host, options, deadline)
        return certificate_of(sock)
    finally:
        sock.close()


def _check_port(port: int) -> None:
    if not 0 < port < 65536:
        raise BadInput(f"expected a port from 1 to 65535, found {port}")


def _check_host(host: str) -> None:
    if not host or not host.isprintable() or " " in host:
        raise BadInput(f"expected the host of a tcp probe to be a name or an address, found {host!r:.100}")


KIND = Kind(
    name="tcp",
    measure=measure,
    options={
        "host": Option("str", default="localhost", check=_check_host),
        "port": Option("int", required=True, check=_check_port),
        "tls": Option("bool", default=False),
        **TLS_OPTIONS,
        **CERTIFICATE_OPTIONS,
    },
)
