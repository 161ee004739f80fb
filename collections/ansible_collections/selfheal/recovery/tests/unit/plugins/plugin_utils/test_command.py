# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal` as a command: exit codes, one line when it could not be done, no traceback, and a quick start."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Callable, Iterator

import pytest

from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli import output
from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.main import main
from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.words import harmless
from ansible_collections.selfheal.recovery.tests.unit.plugins.place import KEY, Place, Service, instance
from ansible_collections.selfheal.recovery.tests.unit.plugins.plugin_utils.shell import ROOT, Run, finished, place, process, run

assert place  # fixtures
assert run

EVERY_COMMAND = (
    ("status",), ("status", "--json"), ("events",), ("events", "--json"), ("history",), ("check",), ("open", "--reason", "x"), ("close",),
    ("threshold", "4"), ("deployment-threshold", "4"), ("pause", "--reason", "x", "--for", "1h"), ("resume",),
)  # fmt: skip


@pytest.mark.parametrize("argv", [(), ("--help",), ("breaker", "--help"), ("breaker", "status", "--help"), ("state", "--help"), ("health", "--help")])
def test_help_is_on_standard_output(run: Run, argv: tuple[str, ...]) -> None:
    said = run(*argv)
    if argv:
        assert (said.code, said.err, said.out.startswith("usage: selfheal")) == (0, "", True)
    else:
        assert "--help" in said.one_line


def test_help_offers_only_what_exists(run: Run) -> None:
    assert not {"artifacts", "report", "explain"} & set(run("--help").out.split())


NO_COMMANDS = (
    ("nonsense",), ("breaker",), ("state",), ("breaker", "nonsense"), ("breaker", "status", "--jso"), ("breaker", "status", "--track", "x"),
    ("breaker", "status", "a\nb\x1b[2J"),
)  # fmt: skip


@pytest.mark.parametrize("argv", NO_COMMANDS)
def test_what_is_no_command_is_one_line(run: Run, argv: tuple[str, ...]) -> None:
    line = run(*argv).one_line
    assert "--help" in line
    assert line.rstrip("\n").isprintable()


# State that cannot be read or written.


def _corrupt(place: Place) -> None:
    place.path.parent.mkdir()
    place.path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)


def _foreign(place: Place) -> None:
    place.path.parent.mkdir()
    place.path.write_text("these are somebody's notes\n", encoding="utf-8")


def _newer(place: Place) -> None:
    place.fill()
    with sqlite3.connect(place.path) as connection:
        connection.execute("UPDATE meta SET value = '999' WHERE name = 'schema_version'")
    connection.close()


def _unreadable_document(place: Place) -> None:
    place.fill()
    with sqlite3.connect(place.path) as connection:
        connection.execute("UPDATE documents SET body = '{\"deployment\": 7}' WHERE scope = ?", (KEY,))
    connection.close()


def _not_a_directory(place: Place) -> None:
    place.path.parent.write_text("", encoding="utf-8")


@pytest.mark.parametrize("argv", EVERY_COMMAND, ids=" ".join)
@pytest.mark.parametrize("damage", [_corrupt, _foreign, _newer, _unreadable_document, _not_a_directory])
def test_state_out_of_reach_is_one_line_and_2(place: Place, run: Run, damage: Callable[[Place], None], argv: tuple[str, ...]) -> None:
    damage(place)
    if damage is _unreadable_document and argv[0] == "events":  # they are kept apart from documents, and still to be seen
        assert run("breaker", *argv).code == 0
        return
    assert run("breaker", *argv, "--scope", KEY).one_line
    assert run("breaker", *argv).one_line


def test_directory_that_may_not_be_written_is_one_line(place: Place, run: Run) -> None:
    place.path.parent.mkdir(mode=0o500)
    if os.access(place.path.parent, os.W_OK):
        pytest.skip("this user may write everywhere")
    assert str(place.path) in run("breaker", "status").one_line
    assert run("breaker", "open", "--reason", "x", "--scope", KEY).one_line


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:secret@h/d", "postgresql://u:secret@h/d", "sqlite://x", "sqlite:////"])
def test_url_that_names_no_store_is_refused_without_its_secrets(place: Place, run: Run, url: str) -> None:
    line = run("breaker", "status", "--state", url).one_line
    assert "secret" not in line


def test_defect_is_one_line_too(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_self: object) -> None:
        raise TypeError("a\nb\x1b[2J")

    monkeypatch.setattr("ansible_collections.selfheal.recovery.plugins.module_utils._adapters.sqlite.SqliteStore.scopes", broken)
    line = run("breaker", "status").one_line
    assert "TypeError" in line
    assert "SELFHEAL_DEBUG" in line
    monkeypatch.setenv("SELFHEAL_DEBUG", "1")
    with pytest.raises(TypeError):
        main(["breaker", "status"])


# Real processes.


def test_interrupted_is_130_without_a_word(place: Place) -> None:
    place.fill()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests may run in the background, where it is ignored, and children inherit that
    with sqlite3.connect(place.path, isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        running = process("breaker", "open", "--reason", "x")
        signal.signal(signal.SIGINT, before)
        _until(lambda: _has_open(running.pid, place.path))
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)
    connection.close()
    assert (running.returncode, out, err) == (130, "", "")
    assert not place.log()


def test_nobody_reads_the_answer(place: Place) -> None:
    place.fill()
    reader, writer = os.pipe()
    os.close(reader)
    said = finished("breaker", "status", stdout=writer)
    os.close(writer)
    assert (said.code, said.err) == (141, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_under_standard_output_is_one_line(place: Place) -> None:
    place.fill()
    with open("/dev/full", "w", encoding="utf-8") as full:
        said = finished("breaker", "status", "--json", stdout=full)
    assert said.one_line


def test_closed_standard_output_is_no_traceback(place: Place) -> None:
    place.fill()
    line = f'"{sys.executable}" -c "import sys; from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.main import main; sys.exit(main())"'
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["/bin/sh", "-c", f"{line} breaker status >&-"], env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 2)


def test_terminal_without_unicode_gets_the_answer(place: Place) -> None:
    place.fill()
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    assert finished("breaker", "open", "--reason", "Wartung für später", env=environ).code == 0
    said = finished("breaker", "status", env=environ)
    assert (said.code, "f\\xfcr" in said.out) == (0, True)
    assert finished("breaker", "status", "--json", env=environ).json["trigger_reason"] == "Wartung für später"


def test_twenty_commands_at_once_leave_twenty_events(place: Place) -> None:
    place.fill()
    running = [process("breaker", "threshold", str(number)) for number in range(10, 30)]
    assert [each.wait(timeout=60) for each in running] == [0] * 20
    for each in running:
        each.communicate()
    assert sorted(event.threshold for event in place.log()) == list(range(10, 30))


def test_starts_without_what_it_does_not_need(place: Place) -> None:
    place.fill(service=Service(instances={"web1": instance(1)}))
    slow = {"sqlite3", "rich", "ansible", "yaml", "requests", "docker", "github", "asyncio", "ssl", "http.client", "jinja2", "typing_extensions"}
    assert not slow & _imported("--help")
    assert not slow & _imported("breaker", "--help")
    assert not {"dataclasses", "json", "datetime"} & _imported("--help")
    assert slow & _imported("breaker", "status") == {"sqlite3"}


def _imported(*argv: str) -> set[str]:
    code = f"import sys; from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.main import main; main({list(argv)!r})"
    code += "; print(*sys.modules, file=sys.stderr)"
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    before = subprocess.run([sys.executable, "-c", "import sys; print(*sys.modules)"], env=environ, capture_output=True, text=True, check=True, timeout=60)
    after = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True, timeout=60)
    return set(after.stderr.split()) - set(before.stdout.split())


# Text on a terminal.


def test_table_on_a_terminal_is_drawn_without_obeying_markup(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    output.table(("name", "reason"), [("web", "[bold red]:boom:[/] \x1b[2J"), ("db", None)])
    text = capsys.readouterr().out
    assert "[bold red]:boom:[/] \\x1b[2J" in text


def test_table_on_a_narrow_terminal_keeps_times_and_scopes_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("rich")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    output.table(("time", "scope", "reason", "session"), [("2026-11-23T20:47:34.122Z", "production/web", "because " * 9, "")])
    text = capsys.readouterr().out
    assert "2026-11-23T20:47:34.122Z  production/web" in text
    assert "session" not in text


@pytest.mark.parametrize("text", ["\x00", "\x1b", "\u202e", "\n", "\ud800", "\x7f", "\u2028"])
def test_nothing_unprintable_is_shown(text: str) -> None:
    assert harmless(f"a{text}b").isprintable()
    assert harmless(f"a{text}b") not in ("ab", f"a{text}b")


# `selfheal health`.


class _Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/") or 200))
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Service)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


HEALTH_KEYS = {"timestamp", "session_id", "scope", "host", "overall_status", "checks", "errors", "warnings"}
CHECK_KEYS = {"name", "kind", "status", "critical", "remedy", "duration_ms", "message", "metrics"}


def test_healthy_service_is_0(place: Place, run: Run, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILPASTE_URL", service)
    file = place.directory / "health_results.json"
    said = run("health", "--json", "--export", str(file))
    assert (said.code, said.json["overall_status"], said.json["scope"]) == (0, "healthy", "default/default")
    assert set(said.json) == HEALTH_KEYS
    assert [set(check) for check in said.json["checks"]] == [CHECK_KEYS]
    assert json.loads(file.read_text(encoding="utf-8")) == said.json
    assert "default/default: healthy" in run("health").out


def test_storage_that_is_named_is_measured_from_here(place: Place, run: Run, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.directory)
    monkeypatch.setenv("STORAGE_PATH", "./notes")
    said = run("health", "--url", service, "--json")
    assert (said.code, said.json["overall_status"]) == (1, "degraded")
    assert said.json["checks"][-1]["message"] == f"{place.directory}/notes does not exist"
    (place.directory / "notes").mkdir()
    assert run("health", "--url", service).code == 0


def test_usual_storage_is_measured_where_there_is_one(place: Place, run: Run, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that keeps nothing is not ill for that."""
    monkeypatch.chdir(place.directory)
    assert [check["kind"] for check in run("health", "--url", service, "--json").json["checks"]] == ["http"]
    (place.directory / "storage").mkdir()
    said = run("health", "--url", service, "--json")
    assert (said.code, [check["kind"] for check in said.json["checks"]]) == (0, ["http", "storage"])


def test_unhealthy_service_is_1(place: Place, run: Run, service: str) -> None:
    said = run("health", "--url", f"{service}/503", "--scope", f"{KEY}/web1")
    assert (said.code, f"{KEY}/web1: unhealthy" in said.out) == (1, True)


def test_probes_come_from_a_file(place: Place, run: Run, service: str) -> None:
    file = place.directory / "probes.json"
    port = int(service.rsplit(":", 1)[1])
    probes = [{"kind": "tcp", "host": "127.0.0.1", "port": port}, {"kind": "http", "url": f"{service}/500", "critical": False, "attempts": 1}]
    file.write_text(json.dumps(probes), encoding="utf-8")
    said = run("health", "--probes", str(file), "--json")
    assert (said.code, said.json["overall_status"]) == (1, "degraded")
    assert [check["name"] for check in said.json["checks"]] == ["tcp", "http"]


NO_PROBES = (
    "", "{}", "[]", "[1]", '[{"kind": "magic"}]', "not json", "[" * 100000, '{"kind": "http", "url": "http://u:canary-word@x/"}',
    '[{"kind": "container"}]', '[{"kind": "logs"}]', '[{"kind": "storage", "path": "/", "in_container": true}]',
)  # fmt: skip


@pytest.mark.parametrize("text", NO_PROBES)
def test_probes_that_are_none_are_refused(place: Place, run: Run, text: str) -> None:
    file = place.directory / "probes.json"
    file.write_text(text, encoding="utf-8")
    line = run("health", "--probes", str(file)).one_line
    assert "canary" not in line
    assert "defect" not in line


@pytest.mark.parametrize("argv", [("--probes", "/nowhere/probes.json"), ("--probes", "-", "--url", "http://x"), ("--url", "ftp://x"), ("--scope", "x")])
def test_impossible_measurement_is_refused(place: Place, run: Run, argv: tuple[str, ...]) -> None:
    assert run("health", *argv).one_line


def test_health_of_an_address_needs_no_engine(place: Place, run: Run, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://elsewhere")
    assert run("health", "--url", service).code == 0
    assert "unix socket" in run("health", "--url", service, "--container", "web").one_line


def test_health_needs_no_state(place: Place, run: Run, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECOVERY_STATE", "nonsense")
    assert run("health", "--url", service).code == 0


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open: it has started, and waits for the lock."""
    try:
        return any(os.path.realpath(f"/proc/{pid}/fd/{each}") == str(path.resolve()) for each in os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return False
