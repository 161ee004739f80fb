# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""TLS to a service's endpoint, and whose fault it is when there is none."""

from __future__ import annotations

import os
import socket
import ssl
from typing import Any, Mapping

from ..._domain.errors import BadInput
from ..._domain.verdict import REPORT
from ..deadline import TIMEOUTS, Deadline
from .certificate import Certificate, read
from .kind import Option, Unmeasured
from .reach import Failed, Silent, explain


class BadCertificate(Failed):
    """One of the two sides does not accept the other's certificate: no rung cures that."""

    remedy = REPORT


def secure(sock: socket.socket, host: str, options: Mapping[str, Any], deadline: Deadline) -> ssl.SSLSocket:
    """``sock`` with TLS on it, as ``options`` (``TLS_OPTIONS``) want it; raises ``Failed``, ``Silent`` or ``Unmeasured``."""
    context = _context(options)
    sock.settimeout(deadline.require())
    try:
        return context.wrap_socket(sock, server_hostname=options["server_name"] or host)
    except TIMEOUTS as error:
        raise Silent(f"no TLS within {deadline.seconds:.1f} s") from error
    except ssl.SSLError as error:
        raise explain_tls(error) from error
    except OSError as error:
        raise explain(error) from error


def certificate_of(sock: socket.socket) -> Certificate | None:
    """The service's certificate; ``None`` without TLS."""
    return read(sock.getpeercert(binary_form=True) or b"") if isinstance(sock, ssl.SSLSocket) else None


def explain_tls(error: ssl.SSLError) -> Failed:
    """What an error of TLS says about the service."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return BadCertificate(f"its certificate is not good: {error.verify_message}")
    if isinstance(error, ssl.SSLEOFError):
        return Failed("hung up on TLS")
    reason = (error.reason or type(error).__name__).lower().replace("_", " ")
    if "certificate" in reason or "unknown ca" in reason:
        return BadCertificate(f"it does not accept this probe's client certificate ({reason})")
    return Failed(f"does not speak TLS ({reason})")


def refusal(sock: socket.socket) -> Failed | None:
    """What a service that hung up while it was talked to had said before: it may refuse a certificate only then (TLS 1.3)."""
    if isinstance(sock, ssl.SSLSocket):
        try:
            sock.recv(1)
        except ssl.SSLError as error:
            found = explain_tls(error)
            return found if isinstance(found, BadCertificate) else None
        except (OSError, ValueError):
            return None
    return None


def _context(options: Mapping[str, Any]) -> ssl.SSLContext:
    ca, certificate, key = options["ca_path"], options["client_cert"], options["client_key"]
    try:
        context = ssl.create_default_context(cafile=None if os.path.isdir(ca) else ca or None, capath=ca if os.path.isdir(ca) else None)
        if certificate:
            context.load_cert_chain(certificate, key or None, password=_no_password)
    except (OSError, ValueError) as error:  # an SSLError too, for a file with something else in it
        files = ", ".join(path for path in (ca, certificate, key) if path) or "the trusted authorities of this host"
        raise Unmeasured(f"TLS cannot be set up on this host with {files}: {_why(error)}") from error
    # Newer Pythons also want extensions that many a private authority leaves out; a service is to be judged alike by all hosts.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not options["validate_certs"]:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no certificate or key in it").lower().replace("_", " ")
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)


def _no_password() -> str:
    """Without this, a key with a password would be asked for on the terminal."""
    raise ValueError("the key is encrypted, expected one without a password")


def _check_path(path: str) -> None:
    if not path.startswith("/") or "\0" in path:
        raise BadInput(f"expected an absolute path on the host, found {path!r:.200}")


def _check_name(name: str) -> None:
    labels = name[:-1].split(".") if name.endswith(".") else name.split(".")
    if len(name) > 253 or not name.isascii() or not name.isprintable() or " " in name or any(not 0 < len(label) < 64 for label in labels):
        raise BadInput(f"expected server_name to be the name in the certificate, found {name!r:.100}")


# Options of every kind that speaks TLS.
TLS_OPTIONS: Mapping[str, Option] = {
    "validate_certs": Option("bool", default=True),
    "ca_path": Option("str", default="", check=_check_path),
    "client_cert": Option("str", default="", check=_check_path),
    "client_key": Option("str", default="", check=_check_path),
    "server_name": Option("str", default="", check=_check_name),
}
