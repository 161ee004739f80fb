# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each kind of probe against real sockets, processes and an engine's answers."""

from __future__ import annotations

import ast
import json
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.client import Engine
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.errors import EngineFailure, EngineTimeout, EngineUnreachable, NoSuchContainer
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes import reach, registry
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Result, Unmeasured
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.registry import KINDS, parse, suboptions
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.verdict import CRITICAL_KINDS, LADDER
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.probing import measure
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeClock, FakeEngine, RawServer, container, response, says


def url(server, path="/"):
    return f"http://127.0.0.1:{server.port}{path}"


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class TestHttp:
    @pytest.mark.parametrize("status", [200, 204, 299, 301, 304, 399])
    def test_2xx_and_3xx_are_good(self, status):
        with RawServer(says(status)) as server:
            result = measure(kind="http", url=url(server))
        assert result.status == "healthy"
        assert result.metrics["status"] == status

    @pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
    def test_other_statuses_fail_after_three_attempts_a_second_apart(self, status):
        clock = FakeClock()
        with RawServer(says(status)) as server:
            result = measure(kind="http", url=url(server), clock=clock)
            assert len(server.requests) == 3
        assert result.status == "failed"
        assert f"answered {status}, expected 2xx or 3xx (3 attempts)" in result.message
        assert clock.slept == [1.0, 1.0]

    def test_one_good_answer_is_enough(self):
        answers = iter([500, 500, 200])
        with RawServer(lambda connection, _method, _target: connection.sendall(response(next(answers)))) as server:
            result = measure(kind="http", url=url(server))
        assert (result.status, result.metrics["attempts"], result.metrics["good"]) == ("healthy", 3, 1)

    def test_expected_status_may_be_an_error(self):
        with RawServer(says(401)) as server:
            assert measure(kind="http", url=url(server), status=[401, 403]).status == "healthy"
            assert measure(kind="http", url=url(server), status=[200], attempts=1).status == "failed"

    def test_refused_is_failed(self):
        result = measure(kind="http", url=f"http://127.0.0.1:{free_port()}/")
        assert (result.status, "connection refused" in result.message) == ("failed", True)

    def test_reset_is_failed(self):
        def reset(connection, _method, _target):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")

        with RawServer(reset) as server:
            result = measure(kind="http", url=url(server))
        assert (result.status, "reset" in result.message) == ("failed", True)

    def test_hanging_up_is_failed(self):
        with RawServer(lambda _connection, _method, _target: None) as server:
            assert measure(kind="http", url=url(server)).status == "failed"

    def test_other_protocol_is_failed(self):
        with RawServer(lambda connection, _method, _target: connection.sendall(b"220 mail ESMTP\r\n")) as server:
            assert "does not answer in HTTP" in measure(kind="http", url=url(server)).message

    def test_silence_is_failed_within_the_attempts_time(self):
        with RawServer(lambda _connection, _method, _target: threading.Event().wait(3)) as server:
            began = time.monotonic()
            result = measure(kind="http", url=url(server), attempts=1, attempt_timeout=0.3)
            assert time.monotonic() - began < 1.5
        assert (result.status, "no answer within 0.3 s" in result.message) == ("failed", True)

    def test_dribbled_header_runs_out_of_time(self):
        def dribble(connection, _method, _target):
            connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
            for _each in range(100):
                connection.sendall(b"x")
                threading.Event().wait(0.05)

        with RawServer(dribble) as server:
            began = time.monotonic()
            assert measure(kind="http", url=url(server), attempts=1, attempt_timeout=0.3).status == "failed"
            assert time.monotonic() - began < 1.5

    def test_endless_body_does_not_hold_it(self):
        def pour(connection, _method, _target):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)

        with RawServer(pour) as server:
            began = time.monotonic()
            assert measure(kind="http", url=url(server)).status == "healthy"
            assert time.monotonic() - began < 1.5

    def test_silence_cut_short_by_the_measurement_proves_nothing(self):
        with RawServer(lambda _connection, _method, _target: threading.Event().wait(3)) as server, pytest.raises(Unmeasured, match="deadline"):
            measure(cut_short=True, kind="http", url=url(server), deadline=0.3)

    def test_slow_answers_are_soft_when_their_mean_is(self):
        def late(connection, _method, _target):
            threading.Event().wait(0.08)
            connection.sendall(response(200))

        with RawServer(late) as server:
            result = measure(kind="http", url=url(server), slow_ms=50)
            assert len(server.requests) == 3
        assert (result.status, result.metrics["good"]) == ("soft", 3)
        assert 50 < result.metrics["latency_ms"] < 1000

    def test_one_slow_answer_is_weighed_with_the_others(self):
        waits = iter([0.2, 0, 0])

        def answer(connection, _method, _target):
            threading.Event().wait(next(waits))
            connection.sendall(response(200))

        with RawServer(answer) as server:
            result = measure(kind="http", url=url(server), slow_ms=150)
        assert (result.status, result.metrics["good"]) == ("healthy", 2)

    def test_failed_tries_do_not_count_for_latency(self):
        waits = iter([0.3, 0])

        def answer(connection, _method, _target):
            wait = next(waits)
            threading.Event().wait(wait)
            connection.sendall(response(500 if wait else 200))

        with RawServer(answer) as server:
            assert measure(kind="http", url=url(server), slow_ms=200).metrics["latency_ms"] < 200

    def test_redirect_off_the_host_is_good_as_it_stands(self):
        with RawServer(says(302, Location="http://other.invalid:1/")) as server:
            result = measure(kind="http", url=url(server))
            assert len(server.requests) == 1
        assert (result.status, result.metrics["status"]) == ("healthy", 302)

    def test_redirect_to_another_port_is_not_followed(self):
        with RawServer(says(500)) as other, RawServer(says(302, Location=f"http://127.0.0.1:{other.port}/")) as server:
            assert measure(kind="http", url=url(server)).status == "healthy"
            assert other.requests == []

    def test_redirect_on_the_host_is_followed(self):
        def answer(connection, _method, target):
            connection.sendall(response(302, Location="/login?next=1") if target == "/" else response(500))

        with RawServer(answer) as server:
            result = measure(kind="http", url=url(server), attempts=1)
            assert [target for _method, target, _head in server.requests] == ["/", "/login?next=1"]
        assert (result.status, "answered 500" in result.message) == ("failed", True)

    def test_redirect_that_is_expected_is_not_followed(self):
        with RawServer(says(302, Location="/login")) as server:
            assert measure(kind="http", url=url(server), status=[302]).status == "healthy"
            assert len(server.requests) == 1

    def test_redirect_in_circles_is_failed(self):
        with RawServer(says(302, Location="/")) as server:
            result = measure(kind="http", url=url(server), attempts=1)
            assert len(server.requests) == 4
        assert (result.status, "circles" in result.message) == ("failed", True)

    def test_unresolvable_name_is_unmeasured(self):
        with pytest.raises(Unmeasured, match="was not resolved"):
            measure(kind="http", url="http://no-such-host.invalid/")

    def test_hung_resolver_is_unmeasured_in_time(self, monkeypatch):
        real = socket.getaddrinfo

        def hang(*args, **options):
            return real(*args, **options) if options.get("flags") else threading.Event().wait(30)

        monkeypatch.setattr(reach.socket, "getaddrinfo", hang)
        began = time.monotonic()
        with pytest.raises(Unmeasured, match="not resolved within"):
            measure(kind="http", url="http://slow-dns.example/", attempts=1, attempt_timeout=0.3)
        assert time.monotonic() - began < 1.5

    def test_no_route_is_unmeasured(self, monkeypatch):
        def unroutable(_self, _address):
            raise OSError(113, "No route to host")

        monkeypatch.setattr(reach.socket.socket, "connect", unroutable)
        with pytest.raises(Unmeasured, match="no route to host"):
            measure(kind="http", url="http://127.0.0.1/")

    def test_refusal_on_one_address_tells_more_than_no_route_on_the_other(self, monkeypatch):
        port = free_port()
        monkeypatch.setattr(
            reach,
            "_resolve",
            lambda *_args: [
                (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("255.255.255.255", port)),
                (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port)),
            ],
        )
        assert measure(kind="http", url=f"http://two-addresses:{port}/", attempts=1).status == "failed"

    def test_credentials_are_sent_and_never_shown(self):
        with RawServer(says(500)) as server:
            result = measure(kind="http", url=f"http://ada:hunter2-secret@127.0.0.1:{server.port}/?token=canary", attempts=1)
            assert "Authorization: Basic YWRhOmh1bnRlcjItc2VjcmV0" in server.requests[0][2]
            assert server.requests[0][1] == "/?token=canary"
        assert "hunter2" not in str(result)
        assert "canary" not in str(result)

    def test_headers_and_method(self):
        with RawServer(says(200)) as server:
            measure(kind="http", url=url(server), method="HEAD", headers={"Host": "web.example"}, secret_headers={"X-Token": "canary-token"})
            method, _target, head = server.requests[0]
        assert method == "HEAD"
        assert "Host: web.example" in head
        assert "X-Token: canary-token" in head
        assert head.count("Host:") == 1

    @pytest.mark.parametrize("wrong", ["", "localhost:8080", "ftp://x/", "http://", "http://a b/", "http://x/\r\nHost: y", "http://x:99999/"])
    def test_url_that_cannot_be_meant_is_refused(self, wrong):
        with pytest.raises(BadInput):
            parse([{"kind": "http", "url": wrong}])

    @pytest.mark.parametrize("headers", [{"X": "a\r\nY: b"}, {"": "x"}, {"X Y": "x"}, {"X": "ü"}])
    def test_header_that_cannot_be_meant_is_refused(self, headers):
        with pytest.raises(BadInput, match="header"):
            parse([{"kind": "http", "url": "http://x/", "headers": headers}])

    def test_short_secret_is_refused_because_hiding_it_would_tear_words_apart(self):
        with pytest.raises(BadInput, match="6 characters"):
            parse([{"kind": "http", "url": "http://x/", "secret_headers": {"X-Token": "web"}}])

    def test_tls_to_a_plain_server_is_failed(self):
        with RawServer(lambda connection, _method, _target: None) as server:
            result = measure(kind="http", url=f"https://127.0.0.1:{server.port}/", attempts=1, attempt_timeout=0.5)
        assert result.status == "failed"


class TestTcp:
    def test_accepting_is_healthy(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            assert measure(kind="tcp", host="127.0.0.1", port=listener.getsockname()[1]).status == "healthy"

    def test_refused_is_failed(self):
        assert measure(kind="tcp", port=free_port()).status == "failed"

    def test_unresolvable_is_unmeasured(self):
        with pytest.raises(Unmeasured, match=r"no-such\.invalid:80: .*not resolved"):
            measure(kind="tcp", host="no-such.invalid", port=80)

    @pytest.mark.parametrize("cut_short", [True, False])
    def test_silence_is_failed_unless_cut_short(self, monkeypatch, cut_short):
        def silent(_self, _address):
            raise socket.timeout("timed out")

        monkeypatch.setattr(reach.socket.socket, "connect", silent)
        if cut_short:
            with pytest.raises(Unmeasured):
                measure(kind="tcp", port=80, cut_short=True)
        else:
            assert measure(kind="tcp", port=80).status == "failed"

    @pytest.mark.parametrize("port", [0, 65536, -1, "http", True, None])
    def test_port_that_cannot_be_meant_is_refused(self, port):
        with pytest.raises(BadInput, match="port"):
            parse([{"kind": "tcp", "port": port}])


def state(**parts):
    return container(state=parts.pop("Status", "running"), State=parts)


class TestContainer:
    def test_container_healthy_when_it_runs(self):
        result = measure(kind="container", inspect=container())
        assert (result.status, result.metrics["state"], result.metrics["restart_count"]) == ("healthy", "running", 0)

    @pytest.mark.parametrize("status", ["created", "restarting", "exited", "dead", "paused", "removing", ""])
    def test_container_failed_in_every_other_state(self, status):
        result = measure(kind="container", inspect=container(state=status))
        assert (result.status, result.metrics["state"]) == ("failed", status)

    def test_exit_code_and_oom_are_told(self):
        assert "exit code 3" in measure(kind="container", inspect=state(Status="exited", ExitCode=3)).message
        killed = measure(kind="container", inspect=state(Status="exited", ExitCode=137, OOMKilled=True))
        assert "memory" in killed.message
        assert killed.metrics["oom_killed"] is True

    def test_missing_is_failed(self):
        result = measure(kind="container", inspect=NoSuchContainer("web"))
        assert (result.status, result.metrics) == ("failed", {"state": "missing"})

    @pytest.mark.parametrize(("health", "status"), [("starting", "unmeasured"), ("healthy", "healthy"), ("unhealthy", "failed"), ("none", "healthy")])
    def test_docker_health(self, health, status):
        assert measure(kind="container", inspect=state(Health={"Status": health})).status == status

    def test_last_output_of_the_health_check_is_told_without_secrets_and_bounded(self):
        log = [{"Output": "old"}, {"Output": "password hunter2-secret\n refused " + "x" * 1000}]
        result = measure(kind="container", inspect=state(Health={"Status": "unhealthy", "Log": log}))
        assert "password ******** refused" in result.message
        assert len(result.message) < 450

    def test_container_soft_when_it_was_restarted_often(self):
        assert measure(kind="container", inspect=container(RestartCount=5)).status == "healthy"
        assert measure(kind="container", inspect=container(RestartCount=6)).status == "soft"
        assert measure(kind="container", inspect=container(RestartCount=6), max_restarts=10).status == "healthy"

    def test_container_unmeasured_when_the_engine_is_silent(self):
        with pytest.raises(EngineTimeout):
            measure(kind="container", inspect=EngineTimeout("no answer"))

    def test_usage_is_measured_on_request(self, tmp_path):
        stats = {
            "memory_stats": {"usage": 50 * 2**20, "limit": 100 * 2**20, "stats": {"inactive_file": 10 * 2**20}},
            "cpu_stats": {"cpu_usage": {"total_usage": 150}, "system_cpu_usage": 2000, "online_cpus": 4},
            "precpu_stats": {"cpu_usage": {"total_usage": 50}, "system_cpu_usage": 1000},
        }
        with FakeEngine(tmp_path / "sock", container()) as server:
            server.fail["stats"] = response(200, json.dumps(stats).encode())
            metrics = measure(kind="container", stats=True, engine=Engine(str(tmp_path / "sock"))).metrics
        assert (metrics["memory_mib"], metrics["memory_limit_mib"], metrics["cpu_percent"]) == (40.0, 100.0, 40.0)

    def test_usage_that_cannot_be_had_changes_no_verdict(self, tmp_path):
        with FakeEngine(tmp_path / "sock", container()) as server:
            server.fail["stats"] = response(500)
            result = measure(kind="container", stats=True, engine=Engine(str(tmp_path / "sock")))
        assert (result.status, "500" in result.metrics["stats_error"]) == ("healthy", True)


class TestDocker:
    def test_docker_healthy_when_the_engine_answers(self, tmp_path):
        with FakeEngine(tmp_path / "sock"):
            result = measure(kind="docker", engine=Engine(str(tmp_path / "sock")))
        assert (result.status, result.metrics["api_version"]) == ("healthy", "1.41")

    def test_docker_unmeasured_when_the_engine_is_silent(self, tmp_path):
        with pytest.raises(EngineUnreachable):
            measure(kind="docker", engine=Engine(str(tmp_path / "sock")))
        with FakeEngine(tmp_path / "sock") as engine:
            engine.hang.add("_ping")
            with pytest.raises(EngineTimeout):
                measure(kind="docker", engine=Engine(str(tmp_path / "sock")), deadline=0.3)

    @pytest.mark.parametrize("said", [response(500), response(200), response(403), b"220 mail ESMTP\r\n", b""])
    def test_docker_is_never_failed_or_soft(self, tmp_path, said):
        """An engine that cannot be asked says nothing about the service: whatever it answers instead is `unmeasured`."""
        with FakeEngine(tmp_path / "sock") as engine:
            engine.fail["_ping"] = said
            with pytest.raises(EngineFailure):
                measure(kind="docker", engine=Engine(str(tmp_path / "sock")))


class TestCommand:
    def test_command_healthy_when_it_ends_with_status_0(self):
        assert measure(kind="command", argv=["/bin/true"]).status == "healthy"

    def test_command_failed_when_it_ends_with_another_status(self):
        result = measure(kind="command", argv=["/bin/sh", "-c", "echo broken hunter2-secret; exit 3"])
        assert (result.status, result.metrics) == ("failed", {"exit_status": 3})
        assert result.message == "/bin/sh ended with status 3: broken ********"

    def test_death_by_signal_is_failed(self):
        assert "signal 9" in measure(kind="command", argv=["/bin/sh", "-c", "kill -9 $$"]).message

    @pytest.mark.parametrize("tool", ["/no/such/tool", "/etc/passwd", "/"])
    def test_command_unmeasured_when_the_tool_is_missing_or_forbidden(self, tool):
        with pytest.raises(Unmeasured, match="cannot be run on this host"):
            measure(kind="command", argv=[tool])

    def test_no_shell_sees_it(self, tmp_path):
        witness = tmp_path / "witness"
        assert measure(kind="command", argv=["/bin/echo", f"; touch {witness}", "$(touch x)", "`id`"]).status == "healthy"
        assert not witness.exists()

    def test_command_that_does_not_end_is_killed_with_its_children(self, tmp_path):
        pid = tmp_path / "pid"
        began = time.monotonic()
        result = measure(kind="command", argv=["/bin/sh", "-c", f"sleep 60 & echo $! > {pid}; wait"], deadline=0.5)
        assert time.monotonic() - began < 2
        assert (result.status, "did not end within 0.5 s" in result.message) == ("failed", True)
        end = time.monotonic() + 5
        while time.monotonic() < end and _runs(int(pid.read_text())):
            threading.Event().wait(0.02)
        assert not _runs(int(pid.read_text()))

    def test_cut_short_it_proves_nothing(self):
        with pytest.raises(Unmeasured, match="deadline"):
            measure(kind="command", argv=["/bin/sleep", "60"], deadline=0.2, cut_short=True)

    def test_endless_output_fits_into_memory_and_message(self):
        result = measure(kind="command", argv=["/bin/sh", "-c", "yes 0123456789 | head -c 50000000; exit 1"])
        assert result.status == "failed"
        assert len(result.message) < 400

    def test_of_long_output_only_whole_lines_are_shown(self):
        """Half a secret is not recognised as one."""
        result = measure(kind="command", argv=["/bin/sh", "-c", "printf 'hunter2-secret%4080s\\nlast word\\n' ''; exit 1"])
        assert result.message == "/bin/sh ended with status 1: last word"

    def test_child_that_keeps_the_output_open_is_not_waited_for(self):
        began = time.monotonic()
        assert measure(kind="command", argv=["/bin/sh", "-c", "sleep 20 & exit 0"]).status == "healthy"
        assert time.monotonic() - began < 5

    @pytest.mark.parametrize("argv", [[], "true", [""], ["a\0b"], [["x"]], None])
    def test_argument_list_that_cannot_be_meant_is_refused(self, argv):
        with pytest.raises(BadInput, match="argv"):
            parse([{"kind": "command", "argv": argv}])


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TestRegistry:
    def test_without_probes_engine_and_container_are_asked(self):
        assert [probe.name for probe in parse([])] == ["docker", "container"]

    def test_defaults_come_from_the_kind(self):
        probe = parse([{"kind": "http", "url": "http://x/"}])[0]
        assert (probe.name, probe.critical, probe.remedy_of(Result("failed", "")), probe.deadline) == ("http", True, LADDER, 25.0)
        assert parse([{"kind": "command", "argv": ["true"]}])[0].critical is False

    def test_every_kind_is_listed_and_packed(self):
        """Ansible packs what a file imports, wherever it does."""
        source = Path(registry.__file__)
        imports = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.ImportFrom)]
        (packed,) = [[name.name for name in node.names] for node in imports if node.module is None]
        kinds = [path.stem for path in source.parent.glob("*.py") if path != source and re.search(r"^KIND = ", path.read_text(), re.MULTILINE)]
        assert sorted(KINDS) == sorted(kinds) == packed
        assert [KINDS[name].name for name in KINDS] == list(KINDS)

    @pytest.mark.parametrize("kind", sorted(KINDS))
    def test_critical_kinds_are_the_domains(self, kind):
        assert KINDS[kind].critical == (kind in CRITICAL_KINDS)

    def test_what_is_given_wins(self):
        probe = parse([{"kind": "tcp", "port": "80", "name": "db", "critical": "no", "remedy": "report", "deadline": "2.5"}])[0]
        assert (probe.name, probe.critical, probe.remedy, probe.deadline, probe.options["port"]) == ("db", False, "report", 2.5, 80)

    def test_none_counts_as_left_out(self):
        assert parse([{"kind": "tcp", "port": 80, "critical": None, "host": None, "url": None}])[0].options["host"] == "localhost"

    def test_two_of_one_name_are_refused(self):
        with pytest.raises(BadInput, match="two probes are named 'tcp'"):
            parse([{"kind": "tcp", "port": 1}, {"kind": "tcp", "port": 2}])

    def test_unknown_kind_names_the_known(self):
        with pytest.raises(BadInput, match=r"command, container, .*tcp, found 'ping'"):
            parse([{"kind": "ping"}])

    def test_unknown_option_names_the_known(self):
        with pytest.raises(BadInput, match=r"tcp has no option 'url'. It has kind, name, critical, remedy, deadline, host, port, tls,"):
            parse([{"kind": "tcp", "port": 1, "url": "http://x"}])

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            *(("deadline", value) for value in (0, -1, 301, "soon", "nan", float("inf"))),
            *(("critical", "maybe"), ("remedy", "pray"), ("name", ""), ("name", [])),
        ],
    )
    def test_value_that_cannot_be_meant_is_refused(self, option, value):
        probe = {"kind": "docker", option: value}
        if (option, value) == ("name", ""):
            assert parse([probe])[0].name == "docker"
        else:
            with pytest.raises(BadInput):
                parse([probe])

    def test_wrong_secret_is_not_repeated(self):
        with pytest.raises(BadInput) as caught:
            parse([{"kind": "http", "url": "http://x/", "secret_headers": ["canary-token"]}])
        assert "canary" not in str(caught.value)

    @pytest.mark.parametrize("wrong", ["http://u:canary-word@x/", {"kind": "http", "url": ["http://u:canary-word@x/"]}])
    def test_password_of_a_wrong_probe_is_not_repeated(self, wrong):
        with pytest.raises(BadInput) as caught:
            parse([wrong])
        assert "canary" not in str(caught.value)

    def test_secrets_are_hidden_by_ansible(self):
        spec = suboptions()
        assert spec["secret_headers"]["no_log"] is True
        assert [name for name, option in spec.items() if option.get("required")] == ["kind"]
