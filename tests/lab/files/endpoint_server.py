# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small server with a fault, run on a host of the lab by its own Python; see `tests/lab/endpoint.py`.

Its one argument is JSON: `{port, kind, location, certificate, key, count}`. It says `ready` when it listens, and ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping

_HEAD = "HTTP/1.1 {}\r\nContent-Length: {}\r\nConnection: close\r\n{}\r\n"
_BYTE_SECONDS = 0.1

Given = Mapping[str, str]
Answer = Callable[[socket.socket, Given], None]


def good(connection: socket.socket, _given: Given) -> None:
    connection.sendall(_HEAD.format("200 OK", 6, "").encode() + b"ready\n")


def redirect(connection: socket.socket, given: Given) -> None:
    connection.sendall(_HEAD.format("302 Found", 0, f"Location: {given['location']}\r\n").encode())


def drip(connection: socket.socket, _given: Given) -> None:
    connection.sendall(_HEAD.format("200 OK", 1000, "").encode())
    for _each in range(1000):
        connection.sendall(b"x")
        time.sleep(_BYTE_SECONDS)


def serve(listener: socket.socket, given: Given, answer: Answer) -> None:
    tls = None
    if given["certificate"]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(given["certificate"], given["key"])
    count = 0
    while True:
        connection = listener.accept()[0]
        count += 1
        with open(given["count"], "w") as file:
            file.write(str(count))
        threading.Thread(target=talk, args=(connection, given, answer, tls), daemon=True).start()


def talk(connection: socket.socket, given: Given, answer: Answer, tls: ssl.SSLContext | None) -> None:
    try:
        with tls.wrap_socket(connection, server_side=True) if tls else connection as channel:
            if channel.recv(65536):
                answer(channel, given)
    except OSError:
        pass  # the probe hung up


def crowd(port: int) -> list[socket.socket]:
    """Connections that take up the queue of a server that accepts none."""
    waiting = [socket.socket() for _each in range(4)]
    for sock in waiting:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", port))
    return waiting


def main() -> None:
    given = json.loads(sys.argv[1])
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", int(given["port"])))
    waiting: list[socket.socket] = []
    if given["kind"] == "hung":
        listener.listen(0)
        waiting += crowd(int(given["port"]))
    else:
        listener.listen(16)
        answer = {"good": good, "redirect": redirect, "drip": drip}[given["kind"]]
        threading.Thread(target=serve, args=(listener, given, answer), daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)


main()
