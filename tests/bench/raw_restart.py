# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs on the host: inspect, ask, restart, wait for an answer. The least that any repair does."""

from __future__ import annotations

import http.client
import json
import socket
import sys
import time

DEADLINE = time.monotonic() + 30


class Engine(http.client.HTTPConnection):
    """The engine's socket."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect("/var/run/docker.sock")


def ask(connection: http.client.HTTPConnection, method: str, path: str) -> tuple[int, bytes]:
    """One request."""
    connection.request(method, path, headers={"Connection": "close"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def well(port: str) -> bool:
    """Whether the service answers as it should."""
    try:
        return ask(http.client.HTTPConnection("localhost", int(port), timeout=5), "GET", "/")[0] == 200
    except OSError:
        return False


def main(container: str, port: str) -> int:
    """0 when the service is well again."""
    status, body = ask(Engine("engine"), "GET", f"/containers/{container}/json")
    if status != 200 or not json.loads(body)["State"]["Running"] or well(port):
        return 1
    if ask(Engine("engine"), "POST", f"/containers/{container}/restart")[0] != 204:
        return 1
    while not well(port):
        if time.monotonic() > DEADLINE:
            return 1
        time.sleep(0.02)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
