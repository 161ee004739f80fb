# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A service that keeps notes on a host of the lab, for probes that write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import LabError
from .host import Host

_SERVER = Path(__file__).parent / "files" / "notes_server.py"
_END_SECONDS = 10


class Notes:
    """A running one."""

    def __init__(self, host: Host, port: int) -> None:
        self._host = host
        self.url = f"http://localhost:{port}/notes/"
        self.file = f"/run/notes-{port}.json"

    @property
    def kept(self) -> list[str]:
        """The paths of its notes."""
        places: list[str] = json.loads(self._host.read(self.file))
        return places


@contextmanager
def notes(host: Host, port: int, fault: str = "") -> Iterator[Notes]:
    """Such a service. With the fault `forgets` it keeps nothing of what is in a note, with `keeps` it deletes none, with `slow` it reads slowly."""
    served = Notes(host, port)
    host.write(served.file, "[]")
    given = {"port": str(port), "fault": fault, "kept": served.file}
    with host.popen(["python3", "-c", _SERVER.read_text(), json.dumps(given)]) as process:
        try:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise LabError(f"{host.name}: the service that keeps notes did not start on port {port}")
            yield served
        finally:
            process.communicate("", timeout=_END_SECONDS)
            host.run(["rm", "-f", served.file])
