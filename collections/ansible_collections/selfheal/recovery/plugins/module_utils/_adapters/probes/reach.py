# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connecting to a service's endpoint, and telling the service's silence from our own inability to ask."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from ..background import Background
from ..deadline import TIMEOUTS, Deadline
from .kind import Unmeasured

# What the other side says itself; every other error of the network is said by this side, about this side.
_SAID_BY_THE_SERVICE = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED, errno.EPIPE})


class Failed(Exception):
    """The service answered for itself: wrongly, or by hanging up. ``remedy`` as in ``Result``."""

    remedy = ""


class Silent(Exception):
    """No answer until the deadline."""


def connect(host: str, port: int, deadline: Deadline) -> socket.socket:
    """A connection to ``host``; every address of its name is tried, each with its share of the time.

    Raises ``Failed`` (refused, reset), ``Silent`` (no answer in time) or ``Unmeasured`` (name not resolved, no route, not permitted).
    """
    addresses = _resolve(host, port, deadline)
    errors: list[Exception] = []
    for tried, (family, kind, protocol, _name, address) in enumerate(addresses):
        try:
            return _connect(family, kind, protocol, address, deadline.within(deadline.left / (len(addresses) - tried)))
        except (Failed, Silent, Unmeasured) as error:
            errors.append(error)
    # "Refused" on one address tells more than "no such address family" on the other.
    raise min(errors, key=lambda error: (Failed, Silent, Unmeasured).index(type(error)))


def explain(error: OSError) -> Exception:
    """``Failed`` or ``Unmeasured``, for an error of the network."""
    text = os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
    if isinstance(error, (ConnectionError, BrokenPipeError)) or error.errno in _SAID_BY_THE_SERVICE:
        return Failed(text.lower())
    return Unmeasured(f"could not be asked: {text.lower()}")


def _connect(family: int, kind: int, protocol: int, address: Any, deadline: Deadline) -> socket.socket:
    try:
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise explain(error) from error
    try:
        sock.settimeout(deadline.require())
        sock.connect(address)
    except TIMEOUTS as error:
        sock.close()
        raise Silent(f"no connection within {deadline.seconds:.1f} s") from error
    except OSError as error:
        sock.close()
        raise explain(error) from error
    return sock


def _resolve(host: str, port: int, deadline: Deadline) -> list[Any]:
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        pass  # a name
    lookup = Background(lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), "resolve")
    try:
        addresses = lookup.result(deadline.left)
    except TIMEOUTS as error:
        raise Unmeasured(f"the name {host!r:.100} was not resolved within {deadline.seconds:.1f} s") from error
    except (OSError, UnicodeError) as error:
        raise Unmeasured(f"the name {host!r:.100} was not resolved: {getattr(error, 'strerror', None) or error}") from error
    if not addresses:
        raise Unmeasured(f"the name {host!r:.100} has no address")
    return list(addresses)
