# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The engine's client against servers with good and bad manners."""

from __future__ import annotations

import json
import os
import socket
import threading
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.deadline import Deadline
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.client import Engine
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.errors import (
    EngineError,
    EngineTimeout,
    EngineUnreachable,
    NoSuchContainer,
)
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import ID, FakeEngine, RawServer, container, frame, response, says


@pytest.fixture
def path(tmp_path):
    return tmp_path / "docker.sock"


def engine(path):
    return Engine(f"unix://{path}")


def test_inspects_by_name(path):
    with FakeEngine(path, container("web")) as server:
        assert engine(path).inspect("web")["Id"] == ID
        assert [target for _method, target, _head in server.requests] == ["/_ping", "/v1.41/containers/web/json"]


@pytest.mark.parametrize("name", ["we", ID[:12], "webs", "WEB"])
def test_name_is_matched_exactly(path, name):
    with FakeEngine(path, container("web")), pytest.raises(NoSuchContainer) as caught:
        engine(path).inspect(name)
    assert caught.value.reason == "container_missing"


def test_full_id_is_a_name_too(path):
    with FakeEngine(path, container("web")):
        assert engine(path).inspect(ID)["Name"] == "/web"


def test_name_is_quoted_into_the_path(path):
    with FakeEngine(path) as server, pytest.raises(NoSuchContainer):
        engine(path).inspect("../x y?z\r\nHost: a")
    assert server.requests[-1][1] == "/v1.41/containers/..%2Fx%20y%3Fz%0D%0AHost%3A%20a/json"


@pytest.mark.parametrize(("spoken", "used"), [("1.41", "1.41"), ("1.24", "1.24"), ("1.51", "1.51"), ("1.52", "1.51"), ("2.0", "1.51"), ("1.9", "1.9")])
def test_version_is_negotiated_and_capped(path, spoken, used):
    with FakeEngine(path, container("web"), api=spoken) as server:
        engine(path).inspect("web")
    assert server.requests[-1][1].startswith(f"/v{used}/")


def test_version_is_asked_for_once(path):
    with FakeEngine(path, container("web")) as server:
        client = engine(path)
        client.inspect("web")
        client.inspect("web")
    assert [target for _method, target, _head in server.requests].count("/_ping") == 1


@pytest.mark.parametrize("api", ["", "latest", "1.41\tx", "99999.1"])
def test_server_without_a_version_is_not_an_engine(path, api):
    with FakeEngine(path, api=api), pytest.raises(EngineError, match="version"):
        engine(path).ping()


def test_missing_socket_says_how_to_fix_it(path):
    with pytest.raises(EngineUnreachable, match=r"no container engine's socket at .*systemctl start docker") as caught:
        engine(path).ping()
    assert not caught.value.sent


def test_dead_socket_is_unreachable(path):
    with RawServer(says(200), path):
        pass
    with pytest.raises(EngineUnreachable, match="nobody answers"):
        engine(path).ping()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every socket")
def test_forbidden_socket_says_how_to_fix_it(path):
    with RawServer(says(200), path):
        path.chmod(0)
        with pytest.raises(EngineUnreachable, match="become"):
            engine(path).ping()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:2375", "http://x", "ssh://root@host", "docker.sock", ""])
def test_only_unix_sockets_are_spoken_to(address):
    with pytest.raises(BadInput, match="unix socket"):
        Engine(address)


def test_path_may_be_given_plainly(path):
    assert Engine(str(path)).path == str(path)


def dribbles(header):
    def answer(connection, _method, _target):
        connection.sendall(header)
        try:
            while True:
                connection.sendall(b"x")
                threading.Event().wait(0.05)
        except OSError:
            pass

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        lambda connection, _method, _target: threading.Event().wait(5),
        dribbles(b"HTTP/1.1 200 OK\r\nX-Endless: "),
        dribbles(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
    ],
    ids=["silent", "dribbled header", "dribbled body"],
)
def test_deadline_is_for_the_whole_call(path, answer):
    with RawServer(answer, path):
        began = time.monotonic()
        with pytest.raises(EngineTimeout, match=r"within 0\.4 s") as caught:
            engine(path).ping(Deadline(0.4))
        assert time.monotonic() - began < 1.5
        assert caught.value.sent


def test_engine_that_does_not_accept_is_a_timeout_in_which_nothing_was_sent(path):
    with RawServer(says(200), path, accept=False, backlog=0):
        waiting = []
        for _each in range(4):
            sock = socket.socket(socket.AF_UNIX)
            sock.setblocking(False)
            waiting.append(sock)
            try:
                sock.connect(str(path))
            except BlockingIOError:
                break
        began = time.monotonic()
        with pytest.raises(EngineTimeout, match="did not accept") as caught:
            engine(path).ping(Deadline(0.3))
        assert time.monotonic() - began < 1.5
        assert not caught.value.sent
        for sock in waiting:
            sock.close()


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02\x03\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 abc\r\n\r\n"])
def test_garbage_is_an_engine_error(path, garbage):
    with RawServer(lambda connection, _method, _target: connection.sendall(garbage), path), pytest.raises(EngineError, match="does not answer like"):
        engine(path).ping()


def test_hanging_up_is_unreachable_and_may_have_been_obeyed(path):
    with FakeEngine(path, container("web")) as server:
        server.fail["restart"] = b""
        with pytest.raises(EngineUnreachable, match="hung up") as caught:
            engine(path).restart("web", 1, Deadline(5))
    assert caught.value.sent


def test_error_keeps_the_engines_words_and_status(path):
    with FakeEngine(path, container("web")) as server:
        server.fail["json"] = response(500, b'{"message": "driver failed"}')
        with pytest.raises(EngineError, match="500: driver failed") as caught:
            engine(path).inspect("web")
    assert caught.value.status == 500


def test_error_text_is_bounded(path):
    with FakeEngine(path, container("web")) as server:
        server.fail["json"] = response(500, b"x" * 100_000)
        with pytest.raises(EngineError) as caught:
            engine(path).inspect("web")
    assert len(str(caught.value)) < 700


@pytest.mark.parametrize("body", [b"not json", b"[1]", b'"text"'])
def test_answer_that_is_not_an_object_is_an_error(path, body):
    with FakeEngine(path, container("web")) as server:
        server.fail["json"] = response(200, body)
        with pytest.raises(EngineError, match="is not"):
            engine(path).inspect("web")


def test_chunked_answer_is_read(path):
    body = json.dumps(container("web")).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[at : at + 50]), body[at : at + 50]) for at in range(0, len(body), 50)) + b"0\r\n\r\n"
    with FakeEngine(path, container("web")) as server:
        server.fail["json"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        assert engine(path).inspect("web")["Id"] == ID


def test_truncated_chunks_are_not_taken_for_an_answer(path):
    with FakeEngine(path, container("web")) as server:
        server.fail["json"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"
        with pytest.raises((EngineError, EngineUnreachable)):
            engine(path).inspect("web")


def test_huge_answer_is_refused(path, monkeypatch):
    monkeypatch.setattr("ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.client._ANSWER_LIMIT", 1000)
    with FakeEngine(path, container("web")) as server:
        server.fail["json"] = response(200, b"[" + b"0," * 1000 + b"0]")
        with pytest.raises(EngineError, match="more than 1000 bytes"):
            engine(path).inspect("web")


def test_restart_sends_the_grace_only_when_there_is_one(path):
    with FakeEngine(path, container("web")) as server:
        client = engine(path)
        client.restart("web", None, Deadline(5))
        client.restart("web", 3, Deadline(5))
    assert server.restarts == [("web", None), ("web", "3")]


def test_restart_that_lost_its_network_is_no_missing_container(path):
    with FakeEngine(path, container("web")) as server:
        server.fail["restart"] = response(404, b'{"message": "network abc not found"}')
        with pytest.raises(EngineError) as caught:
            engine(path).restart("web", 1, Deadline(5))
    assert caught.value.sent


def test_question_before_the_order_that_times_out_is_not_the_order(path):
    with FakeEngine(path, container("web")) as server:
        server.hang.add("_ping")
        with pytest.raises(EngineTimeout) as caught:
            engine(path).restart("web", 1, Deadline(0.3))
    assert not caught.value.sent


def test_start_tells_whether_it_ran_already(path):
    with FakeEngine(path, container("web")) as server:
        server.fail["start"] = response(304)
        assert engine(path).start("web") is False
        server.fail["start"] = response(204)
        assert engine(path).start("web") is True


class TestLogs:
    def test_streams_are_taken_apart(self, path):
        with FakeEngine(path, container("web")) as server:
            server.logs = frame(1, b"out 1\n") + frame(2, b"err 1\n") + frame(1, b"out 2\n")
            logs = engine(path).logs("web", 10, terminal=False, limit=1000)
        assert (logs.stdout, logs.stderr, logs.truncated, logs.error) == (b"out 1\nout 2\n", b"err 1\n", False, "")

    def test_terminal_has_one_plain_stream(self, path):
        with FakeEngine(path, container("web")) as server:
            server.logs = b"plain\r\ntext\r\n"
            logs = engine(path).logs("web", 10, terminal=True, limit=1000)
        assert logs.stdout == b"plain\r\ntext\r\n"
        assert "timestamps=0" in server.requests[-1][1]

    def test_end_is_kept_and_begins_at_a_line(self, path):
        with FakeEngine(path, container("web")) as server:
            server.logs = b"".join(frame(1, b"line %06d\n" % number) for number in range(5000))
            logs = engine(path).logs("web", 5000, terminal=False, limit=1000)
        assert logs.truncated
        assert logs.stdout.endswith(b"line 004999\n")
        assert len(logs.stdout) <= 500
        assert all(line.startswith(b"line ") for line in logs.stdout.splitlines())

    def test_one_endless_line_is_dropped_rather_than_cut(self, path):
        with FakeEngine(path, container("web")) as server:
            server.logs = frame(1, b"x" * 5000)
            logs = engine(path).logs("web", 10, terminal=False, limit=1000)
        assert (logs.stdout, logs.truncated) == (b"", True)

    def test_stamp_inside_a_long_line_is_taken_out(self, path):
        stamp = b"2026-11-23T20:52:20.147393402Z "
        with FakeEngine(path, container("web")) as server:
            server.logs = frame(1, stamp + b"first half, hunter2-") + frame(1, stamp + b"secret\n") + frame(1, stamp + b"next\n")
            logs = engine(path).logs("web", 10, terminal=False, limit=1000)
        assert logs.stdout == stamp + b"first half, hunter2-secret\n" + stamp + b"next\n"

    def test_hang_in_the_middle_keeps_what_came(self, path):
        def answer(connection, _method, target):
            if target == "/_ping":
                connection.sendall(response(200, Api_Version="1.41"))
                return
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + frame(1, b"before\n"))
            threading.Event().wait(3)

        with RawServer(answer, path):
            began = time.monotonic()
            logs = engine(path).logs("web", 10, terminal=False, limit=1000, deadline=Deadline(0.4))
            assert time.monotonic() - began < 1.5
        assert logs.stdout == b"before\n"
        assert "did not answer" in logs.error

    def test_unframed_garbage_ends(self, path):
        with FakeEngine(path, container("web")) as server:
            server.logs = b"\xff" * 100
            assert engine(path).logs("web", 10, terminal=False, limit=1000).stdout
