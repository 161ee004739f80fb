# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real sockets that answer as a test tells them to: raw ones for bad manners, and an engine with a container or two."""

from __future__ import annotations

import json
import re
import socket
import threading
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, unquote, urlsplit

ID = "0123456789abcdef" * 4


class RawServer:
    """Listens on a unix socket (a path) or a free port of the loopback; ``answer(connection, method, target)`` runs once per request.

    ``tls`` is a server's ``ssl.SSLContext``.
    """

    def __init__(self, answer, path=None, accept=True, backlog=16, tls=None):
        self.answer = answer
        self.tls = tls
        self.requests = []
        self.stopped = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_STREAM)
        self._listener.bind(str(path) if path else ("127.0.0.1", 0))
        self._listener.listen(backlog)
        self._listener.settimeout(0.05)
        self.port = None if path else self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        if accept:
            self._thread.start()

    def _serve(self):
        while not self.stopped.is_set():
            try:
                connection = self._listener.accept()[0]
            except (socket.timeout, TimeoutError):
                continue
            except OSError:
                return
            connection.settimeout(5)
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            try:
                connection.do_handshake()
            except OSError:
                _hang_up(connection)
                return
        with connection:
            try:
                request = b""
                while not _whole(request):
                    piece = connection.recv(4096)
                    if not piece:
                        return
                    request += piece
                method, target, _version = request.split(b"\r\n", 1)[0].decode().split(" ")
                self.requests.append((method, target, request.decode()))
                self.answer(connection, method, target)
            except OSError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.stopped.set()
        self._listener.close()
        if self._thread.is_alive():
            self._thread.join(2)


def _hang_up(connection):
    """End a connection so that the other side hears why: what is left unread when it is closed would take the last word away."""
    with connection, suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def _whole(request):
    """Whether a request is there to its end: one that is left unread would break the connection when that is closed."""
    head, end, body = request.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def response(status, body=b"", **headers):
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(status, body=b"", **headers):
    """An ``answer`` that is always the same."""
    return lambda connection, _method, _target: connection.sendall(response(status, body, **headers))


def frame(stream, data):
    """One frame of the engine's log stream."""
    return bytes([stream, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def container(name="web", state="running", **parts):
    """An inspect answer, as much of it as is looked at."""
    data = {
        "Id": ID,
        "Name": f"/{name}",
        "Image": "sha256:" + "1" * 64,
        "RestartCount": 0,
        "State": {
            "Status": state,
            "Running": state in ("running", "paused", "restarting"),
            "StartedAt": "2026-01-01T00:00:00.123456789Z",
            "ExitCode": 0,
            "OOMKilled": False,
        },
        "Config": {"Image": "registry:5000/web:1", "Env": ["PATH=/bin", "PASSWORD=hunter2-secret"], "Tty": False},
        "HostConfig": {"NetworkMode": "bridge"},
        "NetworkSettings": {"Networks": {"bridge": {"Aliases": None, "IPAMConfig": None}}},
    }
    for key, value in parts.items():
        data[key] = {**data[key], **value} if isinstance(data.get(key), dict) and isinstance(value, dict) else value
    return data


class FakeEngine(RawServer):
    """Enough of an engine to be restarted on; ``hang`` names calls that are never answered, ``fail`` maps calls to an answer of their own.

    ``ran`` is what a program run in a container comes to: ``status`` (``None``: it does not end), ``output`` in the engine's framing, ``pid``.
    """

    def __init__(self, path, *containers, api="1.41"):
        self.containers = {each["Name"][1:]: each for each in containers}
        self.api = api
        self.hang = set()
        self.fail = {}
        self.logs = b""
        self.restarts = []
        self.ran = {"status": 0, "output": b"", "pid": 0}
        self.on_restart = lambda found: found["State"].update(Status="running", Running=True, StartedAt="2026-01-01T00:01:00Z")
        super().__init__(self._route, path)

    def _route(self, connection, method, target):
        parts = urlsplit(target)
        path = re.sub(r"\A/v[\d.]+", "", parts.path)
        call = path.rsplit("/", 1)[-1]
        if path.startswith("/exec/") and call == "start" and self.ran["status"] is None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + self.ran["output"])
            self.stopped.wait(60)
            return
        if call in self.hang:
            self.stopped.wait(60)
            return
        if call in self.fail:
            connection.sendall(self.fail[call])
            return
        connection.sendall(self._answer(path, call, parse_qs(parts.query)))

    def _answer(self, path, call, query):
        if call == "_ping":
            return response(200, b"OK", Api_Version=self.api)
        if path.startswith("/images/"):
            return _json(200, {"RepoDigests": ["registry:5000/web@sha256:" + "2" * 64]})
        if path.startswith("/exec/"):
            running = self.ran["status"] is None
            known = {"Running": running, "ExitCode": self.ran["status"], "Pid": self.ran["pid"], "ContainerID": ID}
            return response(200, self.ran["output"]) if call == "start" else _json(200, known)
        if path == "/containers/json":
            return _json(200, [{"Id": each["Id"], "Names": [each["Name"]], "HostConfig": each["HostConfig"]} for each in self.containers.values()])
        name = unquote(path.split("/")[2])
        found = next((each for each in self.containers.values() if name in (each["Name"][1:], each["Id"]) or each["Id"].startswith(name)), None)
        if found is None:
            return _json(404, {"message": f"No such container: {name}"})
        if call == "json":
            return _json(200, found)
        if call == "exec":
            state = found["State"]["Status"]
            return _json(201, {"Id": "e1"}) if state == "running" else _json(409, {"message": f"Container {found['Id']} is {state}"})
        if call == "logs":
            return response(200, self.logs)
        if call == "restart":
            self.restarts.append((found["Name"][1:], query.get("t", [None])[0]))
            self.on_restart(found)
            return response(204)
        return _json(404, {"message": "page not found"})


def _json(status, data):
    return response(status, json.dumps(data).encode(), Content_Type="application/json")


class FakeClock:
    """Time that passes only when somebody sleeps, or when a test says so."""

    def __init__(self, at=1000.0, boot="11111111-2222-3333-4444-555555555555"):
        self.at = at
        self.boot = boot
        self.slept = []

    def monotonic(self):
        return self.at

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += seconds

    def now(self):
        return datetime(2026, 1, 1, 1, 0, tzinfo=timezone.utc) + timedelta(seconds=self.at - 1000)

    def boot_id(self):
        return self.boot

    def boot_seconds(self):
        return self.at
