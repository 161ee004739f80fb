# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind `http` and what bodies say; and the four statuses of `http` and `tcp` without TLS."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Unmeasured
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.registry import KINDS, parse
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.probing import measure
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import RawServer, response, says


def ask(server, **options):
    return measure(kind="http", url=f"http://127.0.0.1:{server.port}/", **{"attempts": 1, **options})


def told(body, **options):
    with RawServer(says(200, body if isinstance(body, bytes) else json.dumps(body).encode())) as server:
        return ask(server, **options)


def drips(pieces, seconds=0.05):
    """An answer whose head is there at once, and whose body comes drop by drop."""

    def answer(connection, _method, _target):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % sum(map(len, pieces)))
        for piece in pieces:
            threading.Event().wait(seconds)
            connection.sendall(piece)

    return answer


def test_http_healthy_when_the_answer_is_good():
    assert told(b"ready").status == "healthy"


def test_http_failed_when_the_status_is_not_good():
    with RawServer(says(503)) as server:
        result = ask(server)
    assert (result.status, result.remedy) == ("failed", "")


def test_http_soft_when_good_answers_are_slow_on_average():
    """lesson 36: what a failed try took does not count."""
    waits = iter([0, 0.25, 0.15])

    def answer(connection, _method, _target):
        wait = next(waits)
        threading.Event().wait(wait)
        connection.sendall(response(200 if wait else 500))

    with RawServer(answer) as server:
        result = ask(server, attempts=3, slow_ms=100)
    assert (result.status, result.metrics["good"], result.metrics["attempts"]) == ("soft", 2, 3)
    assert 200 <= result.metrics["latency_ms"] < 2000


def test_http_unmeasured_when_its_name_is_not_resolved():
    with pytest.raises(Unmeasured, match="was not resolved"):
        measure(kind="http", url="http://no-such-host.invalid/")


def test_http_failed_when_nobody_takes_connections_off_the_queue():
    """A service that hangs before it accepts: the kernel lets the first ones in, then keeps the others waiting."""
    with RawServer(says(200), accept=False, backlog=0) as server:
        waiting = [_half_open(server.port) for _each in range(3)]
        began = time.monotonic()
        result = ask(server, attempt_timeout=0.5)
        assert time.monotonic() - began < 3
        for sock in waiting:
            sock.close()
    assert (result.status, "no connection within 0.5 s" in result.message) == ("failed", True)


def test_tcp_failed_when_nobody_takes_connections_off_the_queue():
    with RawServer(says(200), accept=False, backlog=0) as server:
        waiting = [_half_open(server.port) for _each in range(3)]
        result = measure(kind="tcp", host="127.0.0.1", port=server.port, deadline=0.5)
        for sock in waiting:
            sock.close()
    assert (result.status, "no connection within 0.5 s" in result.message) == ("failed", True)


def _half_open(port):
    sock = socket.socket()
    sock.setblocking(False)
    sock.connect_ex(("127.0.0.1", port))
    return sock


def test_tcp_healthy_when_the_connection_is_accepted():
    with RawServer(says(200), accept=False) as server:
        assert measure(kind="tcp", host="127.0.0.1", port=server.port).status == "healthy"


def test_tcp_soft_exists_with_tls_only():
    """Plain TCP has no soft limit to cross: whatever is wrong with the certificate needs one."""
    assert {"slow_ms", "soft_errors"} & KINDS["tcp"].options.keys() == set()
    with RawServer(says(200)) as server:
        assert measure(kind="tcp", host="127.0.0.1", port=server.port, certificate_days=3650).status == "healthy"


def test_tcp_unmeasured_when_its_name_is_not_resolved():
    with pytest.raises(Unmeasured, match="was not resolved"):
        measure(kind="tcp", host="no-such-host.invalid", port=80)


class TestSlowBody:
    def test_a_body_that_nobody_wants_is_not_waited_for(self):
        with RawServer(drips([b"x"] * 100)) as server:
            began = time.monotonic()
            assert ask(server, attempt_timeout=10).status == "healthy"
            assert time.monotonic() - began < 4

    def test_a_body_that_never_comes_does_not_hold_up_the_answer(self):
        def answer(connection, _method, _target):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            threading.Event().wait(8)

        with RawServer(answer) as server:
            began = time.monotonic()
            assert ask(server, attempt_timeout=10).status == "healthy"
            assert time.monotonic() - began < 4

    def test_http_failed_when_the_body_it_needs_does_not_end_in_time(self):
        with RawServer(drips([b"x"] * 100)) as server:
            began = time.monotonic()
            result = ask(server, contains="x", attempt_timeout=0.4)
            assert time.monotonic() - began < 3
        assert (result.status, "no answer within 0.4 s" in result.message) == ("failed", True)

    def test_time_of_the_body_it_needs_counts_as_latency(self):
        with RawServer(drips([b"re", b"ady"], 0.1)) as server:
            result = ask(server, contains="ready", slow_ms=150)
        assert result.status == "soft"
        assert result.metrics["latency_ms"] >= 200

    def test_body_that_breaks_off_is_failed(self):
        def answer(connection, _method, _target):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nready")

        with RawServer(answer) as server:
            result = ask(server, contains="ready")
        assert (result.status, "hung up before its answer was whole" in result.message) == ("failed", True)


class TestText:
    def test_contained(self):
        assert told(b"all is ready.", contains="ready").status == "healthy"

    def test_http_failed_when_the_body_does_not_contain_the_text(self):
        result = told(b"starting\r\n\x1b[31mwith hunter2-secret " + b"x" * 1000, contains="ready")
        assert (result.status, result.remedy) == ("failed", "")
        assert "does not contain 'ready': it begins with 'starting ?[31mwith ******** xxx" in result.message
        assert len(result.message) < 400

    def test_empty_body(self):
        assert "it is empty" in told(b"", contains="ready").message

    def test_pattern(self):
        assert told(b"queue: 17", matches=r"queue: \d{1,3}\b").status == "healthy"
        assert told(b"queue: 1000", matches=r"queue: \d{1,3}\b").status == "failed"

    def test_http_unmeasured_when_a_pattern_would_run_for_ages(self):
        """And what else is measured meanwhile is not held up."""
        ticks = []
        stop = threading.Event()

        def tick():
            while not stop.wait(0.01):
                ticks.append(time.monotonic())

        threading.Thread(target=tick, daemon=True).start()
        began = time.monotonic()
        with pytest.raises(Unmeasured, match="were not matched within"):
            told(b"a" * 60 + b"!", matches="(a+)+$", attempt_timeout=1.5)
        stop.set()
        assert time.monotonic() - began < 6
        assert max(after - before for before, after in zip(ticks, ticks[1:])) < 1

    def test_long_body_proves_only_what_was_found_in_its_beginning(self):
        body = b"ready " + b"x" * 300 * 1024 + b" late"
        assert told(body, contains="ready").status == "healthy"
        with pytest.raises(Unmeasured, match="only its first 256 KiB were looked at"):
            told(body, contains="late")

    def test_secrets_of_the_probe_are_not_shown(self):
        with RawServer(lambda connection, *_: connection.sendall(response(200, b"hello ada canary-token s3cret-of-ada"))) as server:
            url = f"http://ada:s3cret-of-ada@127.0.0.1:{server.port}/"
            result = measure(kind="http", url=url, attempts=1, contains="ready", secret_headers={"X-Token": "canary-token"})
        assert "'hello ada ******** ********'" in result.message

    def test_answer_that_is_not_as_wanted_is_asked_for_again(self):
        answers = iter([b"starting", b"ready"])
        with RawServer(lambda connection, *_: connection.sendall(response(200, next(answers)))) as server:
            result = ask(server, contains="ready", attempts=3)
        assert (result.status, result.metrics["attempts"]) == ("healthy", 2)


BODY = {"status": "ok", "queue": {"length": 17}, "parts": [{"up": True}, {"up": False}], "note": None, "share": 0.5, "password": "hunter2-secret"}


class TestJson:
    @pytest.mark.parametrize(
        "condition",
        [
            "status == ok",
            'status == "ok"',
            "status==ok",
            "status != down",
            "queue.length < 18",
            "queue.length<=17",
            "queue.length > 16.5",
            "queue.length >= 17",
            "queue.length == 17",
            "parts.0.up == true",
            "parts.1.up != true",
            "parts.0.up != 1",
            "note == null",
            "share == 0.5",
            'queue == {"length": 17}',
        ],
    )
    def test_condition_that_holds(self, condition):
        assert told(BODY, json=[condition]).status == "healthy"

    @pytest.mark.parametrize(
        ("condition", "message"),
        [
            ("status == down", "expected 'status == down', found \"ok\""),
            ("queue.length < 10", "expected 'queue.length < 10', found 17"),
            ("parts.0.up == 1", "found true"),
            ("status < 10", 'found "ok"'),
            ("parts.0.up > 0", "found true"),
            ("queue.width == 1", "its JSON has no queue.width"),
            ("parts.2.up == true", "its JSON has no parts.2.up"),
            ("parts.-1.up == true", "its JSON has no parts.-1.up"),
            ("status.length == 2", "its JSON has no status.length"),
            ("password == x", 'found "********"'),
        ],
    )
    def test_http_failed_when_a_condition_on_its_json_does_not_hold(self, condition, message):
        result = told(BODY, json=["status == ok", condition])
        assert (result.status, result.remedy) == ("failed", "")
        assert message in result.message

    @pytest.mark.parametrize("body", [b"", b"<html>", b'{"status": "ok"', b"[" * 200000, b"\xff\xfe"])
    def test_body_that_is_not_json_is_failed(self, body):
        result = told(body, json=["status == ok"])
        assert (result.status, "is not JSON" in result.message) == ("failed", True)

    @pytest.mark.parametrize("wrong", ["status", "== ok", "status = ok", "status ==", "", "length < many", "length < true"])
    def test_condition_that_cannot_be_meant_is_refused(self, wrong):
        with pytest.raises(BadInput):
            parse([{"kind": "http", "url": "http://x/", "json": [wrong]}])


@pytest.mark.parametrize("wrong", ["(", "", "a" * 501, "a{99999999999}", "(?P<x>a)(?P<x>b)"])
def test_pattern_that_cannot_be_meant_is_refused(wrong):
    with pytest.raises(BadInput, match="regular expression"):
        parse([{"kind": "http", "url": "http://x/", "matches": wrong}])


@pytest.mark.parametrize("wanted", [{"contains": "x"}, {"matches": "x"}, {"json": ["x == 1"]}])
def test_body_of_an_answer_to_head_is_not_asked_for(wanted):
    with pytest.raises(BadInput, match="HEAD has no body"):
        parse([{"kind": "http", "url": "http://x/", "method": "HEAD", **wanted}])
