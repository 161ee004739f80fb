# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One instance measured as a whole: verdicts, facts, and time that is kept whatever hangs."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.client import Engine
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.host_guard import HostGuard
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.prober import Prober
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes import reach, registry
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Kind, Option
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.fence import Fence
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.scope import Scope
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import ID, FakeClock, FakeEngine, RawServer, container, says
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.test_fence import MINE, fence_of

ENGINE = [{"kind": "docker"}, {"kind": "container"}]


class Bench:
    """An engine, a service, and a prober on both."""

    def __init__(self, path):
        self.path = path
        self.socket = path / "docker.sock"
        self.engine = None

    def start(self, *containers):
        self.engine = FakeEngine(self.socket, *containers)
        return self.engine

    def prober(self, *probes, name="web", **options):
        return Prober(
            scope=Scope.parse("production/web/web1"),
            container=name,
            probes=registry.parse(probes),
            engine=Engine(str(self.socket)),
            guard=HostGuard(self.path / "guard"),
            **{"clock": FakeClock(), "seconds": 5.0, **options},
        )

    def measure(self, *probes, **options):
        return self.prober(*probes, **options).measure()


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    if bench.engine:
        bench.engine.__exit__()


def http(server, **options):
    return {"kind": "http", "url": f"http://127.0.0.1:{server.port}/", "attempts": 1, **options}


def hang(engine):
    engine.stopped.wait(30)
    return b""


def statuses(measured):
    return {check.name: check.status for check in measured.health.checks}


def test_healthy(bench):
    bench.start(container())
    with RawServer(says(200)) as server:
        measured = bench.measure(*ENGINE, http(server), session_id="recovery-1")
    health = measured.health
    assert statuses(measured) == {"docker": "healthy", "container": "healthy", "http": "healthy"}
    assert (health.overall_status, health.errors, health.warnings) == ("healthy", (), ())
    assert (health.timestamp, health.session_id, health.scope) == ("2026-01-01T01:00:00.000Z", "recovery-1", "production/web/web1")
    assert health.host


def test_observed_facts(bench):
    bench.start(container())
    observed = bench.measure().observed
    assert set(observed) == {"container", "starting", "clock", "host_uptime_s", "guard"}
    assert observed["clock"] == {"boot_id": FakeClock().boot, "seconds": 1000.0}
    assert observed["guard"] == {"store_id": "", "token": 0, "journal": None}
    assert (observed["container"]["found"], observed["container"]["id"], observed["container"]["uptime_s"]) == (True, ID, 3599.9)
    assert observed["container"]["digest"] == "registry:5000/web@sha256:" + "2" * 64


def test_unhealthy_when_the_service_does_not_answer(bench):
    bench.start(container())
    with RawServer(says(500)) as server:
        assert bench.measure(*ENGINE, http(server)).health.overall_status == "unhealthy"


def test_failing_while_young_is_starting(bench):
    bench.start(container(State={"StartedAt": "2026-01-01T00:59:30Z"}))
    with RawServer(says(500)) as server:
        measured = bench.measure(*ENGINE, http(server))
        assert (measured.health.overall_status, measured.observed["starting"]) == ("unknown", True)
        assert bench.measure(*ENGINE, http(server), grace=10.0).health.overall_status == "unhealthy"


def test_full_disk_while_young_is_no_matter_of_youth(bench):
    bench.start(container(State={"StartedAt": "2026-01-01T00:59:30Z"}))
    measured = bench.measure(*ENGINE, {"kind": "command", "argv": ["/bin/false"], "remedy": "report"})
    assert measured.health.overall_status == "degraded"


def test_working_while_young_is_healthy(bench):
    bench.start(container(State={"StartedAt": "2026-01-01T00:59:30Z"}))
    with RawServer(says(200)) as server:
        assert bench.measure(*ENGINE, http(server)).health.overall_status == "healthy"


def test_docker_health_starting_is_unknown(bench):
    bench.start(container(State={"Health": {"Status": "starting"}}))
    measured = bench.measure(*ENGINE)
    assert (measured.health.overall_status, measured.observed["starting"]) == ("unknown", True)


def test_silent_engine_is_unknown_whatever_else_failed(bench):
    with RawServer(says(500)) as server:
        measured = bench.measure(http(server))
    assert measured.health.overall_status == "unknown"
    assert measured.observed["container"] is None
    assert measured.observed["starting"] is False
    assert any("no container engine's socket" in error for error in measured.health.errors)
    assert statuses(measured) == {"http": "failed", "engine": "unmeasured"}


def test_missing_container_is_unhealthy(bench):
    bench.start()
    measured = bench.measure(*ENGINE)
    assert measured.health.overall_status == "unhealthy"
    assert (measured.observed["container"]["found"], measured.observed["container"]["state"]) == (False, "missing")


def test_name_is_no_prefix(bench):
    bench.start(container("web-2"))
    assert bench.measure(*ENGINE, name="web").observed["container"]["found"] is False


class TestDeadline:
    @pytest.mark.parametrize("hang", [{"_ping"}, {"json"}, {"_ping", "json"}])
    def test_hung_engine_cannot_hold_it(self, bench, hang):
        bench.start(container()).hang |= hang
        with RawServer(says(200)) as server:
            began = time.monotonic()
            measured = bench.measure(*ENGINE, http(server), seconds=1.0)
        assert time.monotonic() - began < 1.8
        assert measured.health.overall_status == "unknown"
        assert statuses(measured)["http"] == "healthy"

    def test_hung_image_call_costs_only_the_digest(self, bench):
        engine = bench.start(container())
        real = engine._answer
        engine._answer = lambda path, call, query: hang(engine) if path.startswith("/images/") else real(path, call, query)
        began = time.monotonic()
        measured = bench.measure(*ENGINE, seconds=1.0)
        assert time.monotonic() - began < 1.8
        assert (measured.health.overall_status, measured.observed["container"]["digest"]) == ("healthy", "")

    def test_hung_resolver_cannot_hold_it(self, bench, monkeypatch):
        bench.start(container())
        monkeypatch.setattr(reach.socket, "getaddrinfo", lambda *_args, **_options: threading.Event().wait(30))
        began = time.monotonic()
        measured = bench.measure(*ENGINE, {"kind": "tcp", "host": "db.example", "port": 5432}, seconds=1.0)
        assert time.monotonic() - began < 1.8
        assert statuses(measured)["tcp"] == "unmeasured"

    def test_all_probes_run_at_once(self, bench):
        bench.start(container())
        slow = [{"kind": "command", "name": f"slow {number}", "argv": ["/bin/sleep", "0.5"]} for number in range(8)]
        began = time.monotonic()
        measured = bench.measure(*slow)
        assert time.monotonic() - began < 2
        assert set(statuses(measured).values()) == {"healthy"}

    def test_silence_until_the_probes_own_deadline_is_failed(self, bench):
        bench.start(container())
        with RawServer(lambda _connection, _method, _target: threading.Event().wait(5)) as server:
            measured = bench.measure(*ENGINE, http(server, deadline=0.4))
        assert statuses(measured)["http"] == "failed"

    def test_silence_until_the_measurements_deadline_is_unmeasured(self, bench):
        bench.start(container())
        with RawServer(lambda _connection, _method, _target: threading.Event().wait(5)) as server:
            began = time.monotonic()
            measured = bench.measure(*ENGINE, http(server), seconds=1.0)
        assert time.monotonic() - began < 1.8
        assert (statuses(measured)["http"], measured.health.overall_status) == ("unmeasured", "unknown")

    def test_duration_is_each_probes_own(self, bench):
        bench.start(container())
        checks = bench.measure({"kind": "command", "name": "slow", "argv": ["/bin/sleep", "0.5"]}, {"kind": "docker"}).health.checks
        assert checks[0].duration_ms >= 500
        assert checks[1].duration_ms < 400


class TestFaults:
    @pytest.fixture
    def broken(self, monkeypatch):
        def measure(context):
            if context.options["hang"]:
                threading.Event().wait(30)
            raise ZeroDivisionError("a fault of its own")

        kind = Kind("broken", measure, {"hang": Option("bool", default=False)})
        monkeypatch.setattr(registry, "KINDS", {**registry.KINDS, "broken": kind})
        return kind

    def test_probe_with_a_fault_says_nothing_about_the_service(self, bench, broken):
        bench.start(container())
        measured = bench.measure(*ENGINE, {"kind": "broken"})
        assert statuses(measured)["broken"] == "unmeasured"
        assert "ZeroDivisionError" in measured.health.errors[0]

    def test_probe_that_ignores_its_deadline_is_left_behind(self, bench, broken):
        bench.start(container())
        began = time.monotonic()
        measured = bench.measure(*ENGINE, {"kind": "broken", "hang": True, "deadline": 0.3})
        assert time.monotonic() - began < 1.5
        assert "hangs" in measured.health.errors[0]


class TestWarnings:
    def test_running_proves_little(self, bench):
        bench.start(container())
        assert any("proves little" in warning for warning in bench.measure(*ENGINE).health.warnings)

    def test_health_check_or_functional_probe_is_enough(self, bench):
        bench.start(container(Config={"Healthcheck": {"Test": ["CMD", "x"]}}))
        assert bench.measure(*ENGINE).health.warnings == ()
        assert bench.measure(*ENGINE, {"kind": "command", "argv": ["/bin/true"]}).health.warnings == ()

    def test_unreadable_guard_is_told_and_changes_no_verdict(self, bench):
        bench.start(container())
        guard = bench.path / "guard"
        guard.mkdir(mode=0o700)
        (guard / "store.json").write_text("{")
        measured = bench.measure(*ENGINE)
        assert measured.health.overall_status == "healthy"
        assert "store.json" in measured.observed["guard"]["error"]
        assert any("no action can be taken" in warning for warning in measured.health.warnings)

    def test_guard_that_acted_is_told(self, bench):
        bench.start(container())
        with HostGuard(Path(bench.path / "guard"), FakeClock()).acting(Fence.parse(fence_of()), "x", 1):
            pass
        assert bench.measure(*ENGINE).observed["guard"] == {"store_id": MINE, "token": 5, "journal": None}


def test_secret_in_the_output_of_a_command_is_masked(bench):
    bench.start(container())
    measured = bench.measure(*ENGINE, {"kind": "command", "argv": ["/bin/sh", "-c", "echo password hunter2-secret; exit 1"]})
    assert "password ********" in str(measured.health)
    assert "hunter2" not in str(measured.health)


def test_output_that_cannot_be_masked_is_left_out(bench):
    measured = bench.measure(*ENGINE, {"kind": "command", "argv": ["/bin/sh", "-c", "echo password hunter2-secret; exit 1"]})
    assert "hunter2" not in str(measured.health)
    assert statuses(measured)["command"] == "failed"


class TestCheckMode:
    def test_probe_that_writes_does_not_run_and_says_so(self, bench):
        bench.start(container())
        with RawServer(says(201, Location="/1")) as server:
            writing = {"kind": "roundtrip", "url": f"http://127.0.0.1:{server.port}/"}
            health = bench.measure(*ENGINE, writing, check_mode=True).health
            assert server.requests == []
        assert [check.kind for check in health.checks] == ["docker", "container"]
        assert health.warnings == ("not measured in check mode, because it writes to the service: roundtrip",)
        assert health.overall_status == "healthy"

    def test_it_runs_otherwise(self, bench):
        bench.start(container())
        with RawServer(says(500)) as server:
            writing = {"kind": "roundtrip", "url": f"http://127.0.0.1:{server.port}/"}
            health = bench.measure(*ENGINE, writing).health
            assert len(server.requests) == 1
        assert (health.overall_status, health.warnings) == ("unhealthy", ())

    def test_nothing_measured_is_unknown(self, bench):
        bench.start(container(State={"Health": {"Status": "healthy"}}))
        health = bench.measure({"kind": "roundtrip", "url": "http://127.0.0.1:1/"}, check_mode=True).health
        assert (health.overall_status, health.checks) == ("unknown", ())
        assert health.errors == ("nothing was measured",)

    @pytest.mark.parametrize("check_mode", [True, False])
    def test_nothing_is_remembered_in_it(self, bench, tmp_path, check_mode):
        sqlite3.connect(str(tmp_path / "notes.db")).execute("CREATE TABLE notes (text)").connection.close()
        bench.measure({"kind": "storage", "path": str(tmp_path)}, check_mode=check_mode)
        assert (tmp_path / "guard").exists() is not check_mode


def test_finding_says_who_cures_it(bench, tmp_path):
    """A size is a person's business, a missing directory may be a restart's; the operator's word beats both."""
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "big").write_bytes(b"x" * 2 * 2**20)
    big = {"kind": "storage", "name": "big", "path": str(tmp_path / "store"), "soft_mib": 1}
    gone = {"kind": "storage", "name": "gone", "path": str(tmp_path / "nowhere")}
    checks = bench.measure(big, gone, {**big, "name": "told", "remedy": "ladder"}, {**gone, "name": "kept", "remedy": "report"}).health.checks
    assert {check.name: check.remedy for check in checks if check.kind == "storage"} == {"big": "report", "gone": "ladder", "told": "ladder", "kept": "report"}
