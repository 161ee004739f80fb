# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A stand-in for tailscaled's LocalAPI, run on a host of the lab: `argv` is its socket and the answer to `status`. Ends when its standard input does."""

from __future__ import annotations

import os
import socket
import sys
import threading


def main() -> None:
    path, answer = sys.argv[1], sys.argv[2].encode()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(8)
    threading.Thread(target=serve, args=(listener, answer), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os.unlink(path)
    os._exit(0)


def serve(listener: socket.socket, answer: bytes) -> None:
    while True:
        connection = listener.accept()[0]
        with connection:
            asked = connection.recv(65536)
            status, body = ("200 OK", answer) if b"/localapi/v0/status" in asked else ("404 Not Found", b"")
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            connection.sendall(head.encode() + body)


main()
