# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""HTTP over the engine's unix socket: one connection a call, one deadline a call, typed errors."""

from __future__ import annotations

import http.client
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator, cast

from ..._domain.errors import BadInput
from ..deadline import TIMEOUTS, Deadline, DeadlineSocket
from .errors import EngineError, EngineTimeout, EngineUnreachable

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
_BUSY_PAUSE = 0.05


@dataclass(frozen=True)
class Answer:
    """One whole answer."""

    status: int
    api_version: str
    body: bytes


def socket_path(address: str) -> str:
    """The path of ``unix:///path`` or ``/path``; raises ``BadInput`` for any other kind of address."""
    path = address[len("unix://") :] if address.startswith("unix://") else address
    if not path.startswith("/") or "\0" in path:
        raise BadInput(
            f"expected the container engine's unix socket, like {DEFAULT_ADDRESS}, found {address!r:.200}",
            "Remote engines (tcp, ssh) are not spoken to: name the host itself in the inventory, so that it is measured from where it runs",
        )
    return path


class UnixTransport:
    """Requests to the server that listens on ``path``."""

    def __init__(self, path: str) -> None:
        self.path = path

    def request(self, method: str, target: str, deadline: Deadline, limit: int, body: bytes | None = None) -> Answer:
        """The answer to one request (``body`` is JSON), read to its end; an answer of more than ``limit`` bytes is an ``EngineError``."""
        with self.open(method, target, deadline, body) as response:
            data = response.read(limit + 1)
            if len(data) > limit:
                raise EngineError(0, f"the container engine answered {method} {target.partition('?')[0]} with more than {limit} bytes")
            return Answer(response.status, response.getheader("Api-Version") or "", data)

    @contextmanager
    def open(self, method: str, target: str, deadline: Deadline, body: bytes | None = None) -> Iterator[http.client.HTTPResponse]:
        """The answer to one request, to be read before the deadline; whatever goes wrong meanwhile becomes a typed error."""
        sock = self._connect(deadline)
        connection = http.client.HTTPConnection("docker")
        connection.sock = cast("socket.socket", DeadlineSocket(sock, deadline))
        try:
            headers = {"Connection": "close", **({} if body is None else {"Content-Type": "application/json"})}
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            try:
                yield response
            finally:
                response.close()
        except TIMEOUTS as error:
            message = f"the container engine did not answer {method} {target.partition('?')[0]} within {deadline.seconds:.1f} s"
            raise EngineTimeout(message, "Look at the engine on the host: it may hang (journalctl -u docker)", sent=True) from error
        except (http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            raise EngineUnreachable(f"the container engine at {self.path} hung up before it had answered", sent=True) from error
        except (http.client.HTTPException, ValueError) as error:
            raise EngineError(0, f"what listens on {self.path} does not answer like a container engine: {error!r:.200}") from error
        except OSError as error:
            raise EngineUnreachable(f"the connection to the container engine at {self.path} broke: {error}", sent=True) from error
        finally:
            connection.close()
            sock.close()

    def _connect(self, deadline: Deadline) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._reach(sock, deadline)
        except BaseException:
            sock.close()
            raise
        return sock

    def _reach(self, sock: socket.socket, deadline: Deadline) -> None:
        while True:
            try:
                sock.settimeout(deadline.require())
                sock.connect(self.path)
            except BlockingIOError:  # an engine that does not accept: its queue is full, and a unix socket does not wait for room
                time.sleep(min(_BUSY_PAUSE, deadline.left))
                continue
            except TIMEOUTS as error:
                message = f"the container engine at {self.path} did not accept a connection within {deadline.seconds:.1f} s"
                raise EngineTimeout(message, "Look at the engine on the host: it may hang (journalctl -u docker)") from error
            except FileNotFoundError as error:
                advice = "Start the engine (systemctl start docker), or name its socket with docker_host"
                raise EngineUnreachable(f"there is no container engine's socket at {self.path}", advice) from error
            except PermissionError as error:
                advice = "Run this as root (become: true), or as a member of the group that owns the socket"
                raise EngineUnreachable(f"not allowed to use the container engine's socket {self.path}", advice) from error
            except OSError as error:
                advice = "Start the engine (systemctl start docker), or name its socket with docker_host"
                raise EngineUnreachable(f"nobody answers on the container engine's socket {self.path} ({error})", advice) from error
            return
