# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A small client of the Docker engine's API, for the few calls that measuring and repairing need.

API: https://docs.docker.com/reference/api/engine/. Nothing has to be installed on the host.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence
from urllib.parse import quote, urlencode

from ..deadline import Deadline
from .errors import ContainerNotRunning, EngineError, EngineFailure, EngineTimeout, NoSuchContainer
from .logs import LogReader, Logs
from .transport import DEFAULT_ADDRESS, Answer, UnixTransport, socket_path

NEWEST_KNOWN = (1, 51)
CALL_SECONDS = 10.0
RESTART_MARGIN = 30.0
_ANSWER_LIMIT = 16 * 1024 * 1024
_LONGEST_MESSAGE = 500
_FULL_ID = re.compile(r"\A[0-9a-f]{64}\Z")
_VERSION = re.compile(r"\A(\d{1,3})\.(\d{1,3})\Z")


@dataclass(frozen=True)
class Ping:
    """The engine's answer to "are you there?": the newest API version it speaks."""

    api_version: tuple[int, int]

    def __str__(self) -> str:
        return ".".join(map(str, self.api_version))


class Engine:
    """The engine behind a unix socket. Every call opens its own connection, so that threads may share one client.

    Every method takes a ``deadline`` for the whole call (default 10 s) and raises one of ``errors``.
    """

    def __init__(self, address: str = DEFAULT_ADDRESS) -> None:
        self._transport = UnixTransport(socket_path(address))
        self._prefix = ""

    @property
    def path(self) -> str:
        """The socket's path."""
        return self._transport.path

    def ping(self, deadline: Deadline | None = None) -> Ping:
        """Is the engine there, and which API does it speak?"""
        answer = self._transport.request("GET", "/_ping", deadline or Deadline(CALL_SECONDS), 4096)
        if answer.status != 200:
            raise EngineError(answer.status, _message(answer))
        match = _VERSION.match(answer.api_version)
        if not match:
            raise EngineError(0, f"what listens on {self.path} does not say which version of the engine's API it speaks (found {answer.api_version!r:.40})")
        return Ping((int(match[1]), int(match[2])))

    def version(self, deadline: Deadline | None = None) -> dict[str, Any]:
        """What the engine says about itself (``GET /version``)."""
        return self._object("/version", deadline)

    def inspect(self, name: str, deadline: Deadline | None = None) -> dict[str, Any]:
        """Everything about the container of exactly this name, or of exactly this full id.

        The engine itself also takes a prefix of an id for a name; that is somebody else's container, and not taken here.
        """
        data = self._object(f"/containers/{_part(name)}/json", deadline, container=name)
        if data.get("Name") != f"/{name}" and not (_FULL_ID.match(name) and data.get("Id") == name):
            raise NoSuchContainer(name)
        return data

    def image(self, name: str, deadline: Deadline | None = None) -> dict[str, Any]:
        """Everything about an image."""
        return self._object(f"/images/{_part(name)}/json", deadline)

    def containers(self, filters: Mapping[str, list[str]] | None = None, stopped: bool = False, deadline: Deadline | None = None) -> list[dict[str, Any]]:
        """The engine's list of containers; ``filters`` as in its API. Its name filter matches substrings: compare names yourself."""
        query = {"all": "1" if stopped else "0", "filters": json.dumps(filters or {})}
        data = self._json("GET", "/containers/json", query, deadline)
        if not isinstance(data, list):
            raise EngineError(0, "the container engine's list of containers is not a list")
        return data

    def stats(self, name: str, deadline: Deadline | None = None) -> dict[str, Any]:
        """Two samples of what a container uses; the engine takes one to two seconds for them."""
        return self._object(f"/containers/{_part(name)}/stats", deadline, {"stream": "false"}, container=name)

    def restart(self, name: str, grace: int | None, deadline: Deadline) -> None:
        """Stop and start a container; ``grace`` seconds between SIGTERM and SIGKILL, ``None`` for the container's own."""
        query = {} if grace is None else {"t": str(grace)}
        self._call("POST", f"/containers/{_part(name)}/restart", query, deadline, container=name)

    def start(self, name: str, deadline: Deadline | None = None) -> bool:
        """Start a container; ``False`` when it ran already."""
        return self._call("POST", f"/containers/{_part(name)}/start", {}, deadline, container=name).status != 304

    def logs(self, name: str, tail: int, terminal: bool, limit: int, deadline: Deadline | None = None, since: float = 0) -> Logs:
        """The last ``tail`` lines of both streams ``since`` then (epoch), at most ``limit`` bytes; ``terminal`` says that the container has a TTY.

        What was read before the engine fell silent is returned too, with the error in it.
        """
        deadline = deadline or Deadline(CALL_SECONDS)
        query = {"stdout": "1", "stderr": "1", "tail": str(tail), "since": f"{since:.6f}", "timestamps": "0" if terminal else "1"}
        reader = LogReader(limit)
        try:
            with self._transport.open("GET", self._target(f"/containers/{_part(name)}/logs", query, deadline), deadline) as response:
                if response.status != 200:
                    _raise(Answer(response.status, "", response.read(64 * 1024)), name)
                reader.read(response, framed=not terminal)
        except NoSuchContainer:
            raise
        except EngineFailure as error:
            return reader.logs(str(error))
        return reader.logs()

    def exec_create(self, name: str, argv: Sequence[str], user: str = "", deadline: Deadline | None = None) -> str:
        """Prepare a program to be run in a container, as the container's user unless told; its id. See ``exec.run`` for the whole."""
        order = {"AttachStdout": True, "AttachStderr": True, "Tty": False, "Cmd": list(argv), **({"User": user} if user else {})}
        try:
            answer = self._call("POST", f"/containers/{_part(name)}/exec", {}, deadline, container=name, order=order)
        except EngineError as error:
            if error.status == 409:
                raise ContainerNotRunning(name, error.said) from None
            raise
        return str(_parsed(answer, "POST /containers/…/exec").get("Id") or "")

    def exec_start(self, identity: str, limit: int, deadline: Deadline) -> Logs:
        """Start a prepared program and read what it writes until it ends, or the deadline does; the latter is told in the ``error``."""
        reader = LogReader(limit, stamped=False)
        order = json.dumps({"Detach": False, "Tty": False}).encode()
        try:
            with self._transport.open("POST", self._target(f"/exec/{_part(identity)}/start", {}, deadline), deadline, order) as response:
                if response.status != 200:
                    answer = Answer(response.status, "", response.read(64 * 1024))
                    if answer.status == 409:
                        raise ContainerNotRunning("", _message(answer))
                    _raise(answer, "")
                reader.read(response, framed=True)
        except EngineTimeout as error:
            return reader.logs(str(error))
        return reader.logs()

    def exec_inspect(self, identity: str, deadline: Deadline | None = None) -> dict[str, Any]:
        """What became of a program run in a container: ``Running``, ``ExitCode``, ``Pid``."""
        return self._object(f"/exec/{_part(identity)}/json", deadline)

    def _target(self, path: str, query: Mapping[str, str], deadline: Deadline) -> str:
        if not self._prefix:
            spoken = min(self.ping(deadline).api_version, NEWEST_KNOWN)
            self._prefix = "/v{}.{}".format(*spoken)
        return f"{self._prefix}{path}?{urlencode(query)}" if query else f"{self._prefix}{path}"

    def _call(self, method: str, path: str, query: Mapping[str, str], deadline: Deadline | None, container: str = "", order: Any = None) -> Answer:
        deadline = deadline or Deadline(CALL_SECONDS)
        try:
            target = self._target(path, query, deadline)
        except EngineFailure as error:
            error.sent = False  # what was sent is a question, not the order
            raise
        answer = self._transport.request(method, target, deadline, _ANSWER_LIMIT, None if order is None else json.dumps(order).encode())
        if answer.status not in (200, 201, 204, 304):
            _raise(answer, container)
        return answer

    def _json(self, method: str, path: str, query: Mapping[str, str], deadline: Deadline | None, container: str = "") -> Any:
        return _parsed(self._call(method, path, query, deadline, container), f"{method} {path}")

    def _object(self, path: str, deadline: Deadline | None, query: Mapping[str, str] | None = None, container: str = "") -> dict[str, Any]:
        data = self._json("GET", path, query or {}, deadline, container)
        if not isinstance(data, dict):
            raise EngineError(0, f"the container engine's answer to GET {path} is not an object")
        return data


def _parsed(answer: Answer, call: str) -> Any:
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise EngineError(0, f"the container engine's answer to {call} is not JSON") from error


def _part(name: str) -> str:
    return quote(name, safe="")


def _raise(answer: Answer, container: str) -> None:
    message = _message(answer)
    # A restart also answers 404 when the container's network is gone, and 400 when its program is: it has stopped by then.
    if answer.status == 404 and container and "no such container" in message.lower():
        raise NoSuchContainer(container)
    raise EngineError(answer.status, message)


def _message(answer: Answer) -> str:
    try:
        message = json.loads(answer.body)["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = answer.body.decode("utf-8", "replace")
    return str(message).strip()[:_LONGEST_MESSAGE] or "no message"
