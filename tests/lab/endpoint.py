# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server with a fault on a host of the lab: what a service's endpoint may be like that no container of ours is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LabError
from .host import Host

_SERVER = Path(__file__).parent / "files" / "endpoint_server.py"
_END_SECONDS = 10


class Endpoint:
    """A running one."""

    def __init__(self, host: Host, port: int) -> None:
        self._host = host
        self.port = port
        self.count, self.certificate, self.key = (f"/run/endpoint-{port}.{name}" for name in ("count", "certificate", "key"))

    @property
    def accepted(self) -> int:
        """How many connections it accepted."""
        return int(self._host.read(self.count) or 0)


@contextmanager
def endpoint(host: Host, port: int, kind: str = "good", *, location: str = "", pair: tuple[Path, Path] | None = None) -> Iterator[Endpoint]:
    """A server of this kind; a `pair` of certificate and key makes it one with TLS.

    `good` answers 200, `redirect` 302 with `location`, `drip` sends its body a byte at a time for 100 s, `hung` accepts no connection, and its queue is full.
    """
    served = Endpoint(host, port)
    host.write(served.count, "0")
    for place, path in zip((served.certificate, served.key), pair or (), strict=False):
        host.write(place, path.read_text(), mode=0o600)
    certificate, key = (served.certificate, served.key) if pair else ("", "")
    given = {"port": str(port), "kind": kind, "location": location, "count": served.count, "certificate": certificate, "key": key}
    with host.popen(["python3", "-c", _SERVER.read_text(), json.dumps(given)]) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise LabError(f"{host.name}: the endpoint on port {port} did not start")
            yield served
        finally:
            process.communicate("", timeout=_END_SECONDS)
            host.run(["rm", "-f", served.count, served.certificate, served.key])
