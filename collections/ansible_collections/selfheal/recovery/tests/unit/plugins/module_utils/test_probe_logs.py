# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind `logs`: what an engine's log stream tells, and what it does not."""

from __future__ import annotations

import json
import re
import threading
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.client import Engine
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.errors import NoSuchContainer
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Unmeasured
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.registry import parse
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.container import moment
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils import probing
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeEngine, RawServer, container, frame, response

STAMP = "2026-01-01T00:59:59.123456789Z "
OUT, ERR = 1, 2


@pytest.fixture
def engine(tmp_path):
    with FakeEngine(tmp_path / "engine", container()) as engine:
        engine.address = str(tmp_path / "engine")
        yield engine


def measure(engine, lines=(), stream=ERR, inspect=None, **options):
    """The probe on a container that wrote these lines."""
    if lines:
        engine.logs = b"".join(frame(stream, f"{STAMP}{line}\n".encode()) for line in lines)
    return probing.measure(kind="logs", engine=Engine(engine.address), inspect=inspect or container(), **options)


def asked(engine):
    (target,) = (target for _method, target, _head in engine.requests if "/logs?" in target)
    return {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}


def test_logs_healthy_when_there_are_no_error_lines(engine):
    result = measure(engine, ["listening on port 80", "0 errors so far"])
    assert (result.status, result.message) == ("healthy", "no error lines of container web in the last 300 s")
    assert result.metrics == {"error_lines": 0, "lines": 2, "cut": False, "window_s": 300.0}


def test_logs_healthy_when_there_are_few_error_lines(engine):
    result = measure(engine, ["ERROR one", "and on"])
    assert (result.status, result.metrics["error_lines"]) == ("healthy", 1)
    assert result.message.endswith("1 error line of container web in the last 300 s, the last: ERROR one")


def test_logs_soft_when_there_are_more_error_lines_than_usual(engine):
    result = measure(engine, ["ERROR again"] * 11)
    assert (result.status, result.metrics["error_lines"]) == ("soft", 11)
    assert "11 error lines of container web in the last 300 s (more than 10), the last: ERROR again" in result.message
    assert measure(engine, ["ERROR again"] * 10).status == "healthy"
    assert measure(engine, ["ERROR again"], soft_errors=0).status == "soft"


def test_logs_failed_when_there_are_very_many_error_lines(engine):
    result = measure(engine, ["ERROR again"] * 101)
    assert result.status == "failed"
    assert measure(engine, ["ERROR again"] * 100).status == "soft"
    assert measure(engine, ["ERROR again"] * 4, soft_errors=1, failed_errors=3).status == "failed"


def test_it_is_never_critical_and_always_a_persons():
    probe = parse([{"kind": "logs"}])[0]
    assert (probe.critical, probe.kind.remedy) == (False, "report")
    assert parse([{"kind": "logs", "critical": False}])[0].critical is False
    with pytest.raises(BadInput, match="error lines in a log never make a service unhealthy, expected critical to be false"):
        parse([{"kind": "logs", "critical": True}])


def test_both_streams_count(engine):
    engine.logs = frame(OUT, f"{STAMP}ERROR out\n".encode()) + frame(ERR, f"{STAMP}ERROR err\n".encode())
    assert measure(engine).metrics["error_lines"] == 2


def test_stream_of_a_terminal_has_no_frames(engine):
    engine.logs = b"\x1b[32mfine\x1b[0m\r\n\x1b[31mERROR\x1b[0m broken\r\n"
    result = measure(engine, inspect=container(Config={"Tty": True}))
    assert result.metrics["error_lines"] == 1
    assert result.message.endswith("the last: ERROR broken")


@pytest.mark.parametrize(
    ("started", "finished", "window", "since"),
    [
        ("00:58:30.5", "00:58:30.1", 300, "00:58:30.3"),  # between the run before and this one
        ("00:58:30.5", "00:59:00", 300, "00:58:30.0"),  # it has ended; the engine notes a start a little late
        ("00:58:30.5", "", 300, "00:55:00"),  # the first run
        ("00:40:00", "00:30:00", 60, "00:59:00"),
    ],
)
def test_only_what_was_written_in_the_window_and_since_the_last_start_counts(engine, started, finished, window, since):
    """It is 01:00 on the fake clock."""
    times = {"StartedAt": f"2026-01-01T{started}Z", "FinishedAt": f"2026-01-01T{finished}Z" if finished else "0001-01-01T00:00:00Z"}
    measure(engine, inspect=container(State=times), window=window)
    assert float(asked(engine)["since"]) == pytest.approx(moment(f"2026-01-01T{since}Z").timestamp())


def test_log_of_a_container_that_ended_is_read_too(engine):
    assert measure(engine, ["panic: gone"], inspect=container(state="exited"), soft_errors=0).status == "soft"


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-01 12:00:00 ERROR web: no",
        "CRITICAL: no",
        "FATAL no",
        "error: answered 500",
        "panic: runtime error: index out of range",
        "Traceback (most recent call last):",
        '{"level":"error","msg":"no"}',
        '{"severity": "critical"}',
        "level=fatal msg=no",
        "2026/01/01 12:00:00 [error] 7#7: no",
        "[Thu Jan 01 12:00:00 2026] [core:error] [pid 1] no",
    ],
)
def test_usual_error_lines_are_known(engine, line):
    assert measure(engine, [line]).metrics["error_lines"] == 1


@pytest.mark.parametrize("line", ["no errors", "TERROR", "error_log is open", "/errors 200", "level=info error=nil", "GET /ERRORS 200", "Panicked? No"])
def test_usual_other_lines_are_not(engine, line):
    assert measure(engine, [line]).metrics["error_lines"] == 0


def test_patterns_of_ones_own_take_the_place_of_the_usual(engine):
    lines = ["ERROR usual", "oops 17", "OOPS 17", "oops"]
    assert measure(engine, lines, patterns=[r"oops \d", "OOPS"]).metrics["error_lines"] == 2


@pytest.mark.parametrize("patterns", [{}, {"patterns": ["ERROR"]}])
def test_lines_to_ignore_do_not_count(engine, patterns):
    lines = ["ERROR known 1", "ERROR new", "ERROR known 2"]
    result = measure(engine, lines, ignore=[r"known \d"], **patterns)
    assert result.metrics["error_lines"] == 1
    assert result.message.endswith("ERROR new")


def test_lines_of_somebody_elses_are_masked_shortened_and_harmless(engine):
    result = measure(engine, ["ERROR \x1b]0;title\x07 \x1b[2J hunter2-secret {{ 7 * 7 }} " + "x" * 9000])
    assert result.message.isprintable()
    assert "******** {{ 7 * 7 }} xxx" in result.message
    assert "hunter2" not in result.message
    assert len(result.message) < 350


def test_flood_is_cut_to_its_newest_lines_and_says_so(engine):
    result = measure(engine, ["ERROR flood " + "x" * 1000] * 5000)
    assert result.metrics["cut"] is True
    assert 100 < result.metrics["error_lines"] < 5000
    assert result.message.startswith("at least ")
    assert asked(engine)["tail"] == "5000"


def test_flood_without_errors_says_what_was_looked_at(engine):
    assert "no error lines among the newest 5000" in measure(engine, ["fine"] * 5000).message


def test_logs_unmeasured_when_the_driver_cannot_be_read(engine):
    engine.fail["logs"] = response(501, json.dumps({"message": "configured logging driver does not support reading"}).encode())
    with pytest.raises(Unmeasured, match=r"could not be read \(log driver syslog\): .*does not support reading"):
        measure(engine, inspect=container(HostConfig={"LogConfig": {"Type": "syslog"}}))


def test_logs_unmeasured_when_the_container_keeps_no_log(engine):
    with pytest.raises(Unmeasured, match=re.escape("keeps no log (log driver none)")):
        measure(engine, inspect=container(HostConfig={"LogConfig": {"Type": "none"}}))


def test_logs_unmeasured_when_the_container_is_missing(engine):
    with pytest.raises(NoSuchContainer):
        measure(engine, inspect=NoSuchContainer("web"))


def test_logs_unmeasured_when_the_engine_is_silent(engine):
    engine.hang.add("logs")
    with pytest.raises(Unmeasured, match="did not answer"):
        measure(engine, deadline=0.3)


def test_logs_unmeasured_when_a_pattern_would_run_for_ages(engine):
    with pytest.raises(Unmeasured, match="were not matched within"):
        measure(engine, ["a" * 60 + "!"], patterns=["(a+)+$"], deadline=2)


def test_what_was_read_before_the_engine_fell_silent_still_counts(tmp_path):
    def break_off(connection, _method, target):
        if target == "/_ping":
            connection.sendall(response(200, b"OK", Api_Version="1.41"))
            return
        body = b"".join(frame(ERR, f"{STAMP}ERROR {number}\n".encode()) for number in range(200))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + body)
        threading.Event().wait(2)

    with RawServer(break_off, tmp_path / "engine") as server:
        server.address = str(tmp_path / "engine")
        result = measure(server, deadline=0.5)
    assert (result.status, result.metrics["error_lines"], result.metrics["cut"]) == ("failed", 200, True)


@pytest.mark.parametrize(
    ("option", "value"),
    [("window", 0), ("window", 1e9), ("patterns", ["("]), ("ignore", [""]), ("soft_errors", -1), ("soft_errors", 200), ("failed_errors", 1)],
)
def test_option_that_cannot_be_meant_is_refused(option, value):
    with pytest.raises(BadInput):
        parse([{"kind": "logs", option: value}])
