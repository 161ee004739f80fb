# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is saved before the first action, and what never is."""

from __future__ import annotations

import json
import os
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.evidence import EvidenceStore
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.scope import Scope
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeClock, FakeEngine, RawServer, container, frame, says
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.test_prober import Bench

SCOPE = Scope.parse("production/web/web1")
SECRETS = ["PASSWORD=hunter2-secret", 'QUOTED=can"ary\\value', "KEY=-----BEGIN-----\nkey-line-one\nkey-line-two", "SHORT=abc"]


class Scene:
    def __init__(self, path):
        self.bench = Bench(path)
        self.guard = path / "guard"
        self.guard.mkdir(mode=0o700)
        self.inspect = container(
            Config={"Env": SECRETS, "Cmd": ["run", "--password", "hunter2-secret"]}, State={"Health": {"Log": [{"Output": "key-line-one"}]}}
        )
        self.engine: FakeEngine = self.bench.start(self.inspect)

    def capture(self, session="recovery-20260101T000000Z-0123abcd", scope=SCOPE, seconds=3.0, probes=(), **options):
        prober = self.bench.prober({"kind": "docker"}, {"kind": "container"}, *probes)
        store = EvidenceStore(self.guard, FakeClock(), **options)
        return store.capture(session, scope, self.inspect, prober.engine, prober, seconds)

    def everything(self):
        return b"".join(path.read_bytes() for path in self.guard.rglob("*") if path.is_file()).decode()


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    scene.engine.__exit__()


def test_evidence_asks_once_what_is_decided_already(scene):
    """The repair waits for it."""
    with RawServer(says(500)) as server:
        scene.capture(probes=[{"kind": "http", "url": f"http://127.0.0.1:{server.port}/", "attempts": 3}])
        assert len(server.requests) == 1


def test_everything_that_a_restart_destroys_is_saved(scene):
    scene.engine.logs = frame(1, b"to stdout\n") + frame(2, b"to stderr\n")
    evidence = scene.capture()
    assert evidence.captured
    assert evidence.errors == []
    assert set(evidence.files) == {"inspect.json", "health.json", "stdout.log", "stderr.log", "manifest.json"}
    read = {name: (scene.guard / evidence.path / name).read_text() for name in evidence.files}
    assert (read["stdout.log"], read["stderr.log"]) == ("to stdout\n", "to stderr\n")
    assert json.loads(read["health.json"])["overall_status"] == "healthy"
    assert json.loads(read["manifest.json"])["scope"] == str(SCOPE)
    assert json.loads(read["inspect.json"])["Config"]["Env"] == ["PASSWORD", "QUOTED", "KEY", "SHORT"]


def test_values_of_the_environment_are_nowhere(scene):
    line = json.dumps({"dsn": "x hunter2-secret y", "quoted": 'can"ary\\value'}).encode()
    scene.engine.logs = frame(1, line + b"\n") + frame(2, b"error key-line-two http://ada:pw@db/\n")
    assert scene.capture().captured
    for secret in ("hunter2", "ary\\value", "ary\\\\value", "key-line", "ada:pw"):
        assert secret not in scene.everything()


def test_it_is_roots_alone(scene):
    evidence = scene.capture()
    for path in [scene.guard / "evidence", *(scene.guard / "evidence").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert evidence.path.startswith(str(scene.guard / "evidence" / "recovery-20260101T000000Z-0123abcd"))


def test_only_the_first_capture_of_a_session_counts(scene):
    scene.engine.logs = frame(1, b"before\n")
    first = scene.capture()
    scene.engine.logs = frame(1, b"after\n")
    second = scene.capture()
    assert (second.captured, second.path, second.files) == (False, first.path, first.files)
    assert "after" not in scene.everything()
    assert scene.capture(session="recovery-2").captured
    assert scene.capture(scope=SCOPE.of("web2")).captured


def test_hung_log_cannot_delay_repair(scene):
    scene.engine.hang.add("logs")
    began = time.monotonic()
    evidence = scene.capture(seconds=1.0)
    assert time.monotonic() - began < 1.6
    assert any(error.startswith("logs: ") for error in evidence.errors)
    assert {"inspect.json", "health.json", "manifest.json"} <= set(evidence.files)


def test_hung_engine_cannot_delay_repair(scene):
    scene.engine.hang |= {"logs", "json", "_ping"}
    began = time.monotonic()
    evidence = scene.capture(seconds=1.0)
    assert time.monotonic() - began < 1.6
    assert json.loads((scene.guard / evidence.path / "health.json").read_text())["overall_status"] == "unknown"


def test_no_time_at_all_still_saves_what_is_in_hand(scene):
    assert "inspect.json" in scene.capture(seconds=0).files


def test_session_is_bounded(scene):
    scene.engine.logs = b"".join(frame(1, b"%06d %s\n" % (number, b"x" * 1000)) for number in range(3000))
    evidence = scene.capture(session_bytes=50_000)
    assert sum(path.stat().st_size for path in scene.guard.rglob("*") if path.is_file()) <= 50_000
    assert any(error.startswith("stdout.log: ") for error in evidence.errors)
    assert (scene.guard / evidence.path / "stdout.log").read_text().rstrip("x\n").endswith("002999 ")


def test_two_instances_share_the_sessions_room(scene):
    scene.engine.logs = b"".join(frame(1, b"x" * 1000 + b"\n") for _number in range(100))
    scene.capture(session_bytes=60_000)
    scene.capture(scope=SCOPE.of("web2"), session_bytes=60_000)
    assert sum(path.stat().st_size for path in scene.guard.rglob("*") if path.is_file()) <= 60_000


@pytest.mark.parametrize("session", ["../../../tmp/x", "", ".", "..", "a/b", "x" * 300, "ü\n"])
def test_session_never_becomes_another_path(scene, session):
    evidence = scene.capture(session=session)
    assert evidence.captured
    assert os.path.realpath(evidence.path).startswith(str(scene.guard.resolve() / "evidence") + "/session-")


def test_place_that_cannot_be_written_is_told_and_nothing_else(scene):
    (scene.guard / "evidence").write_text("")
    evidence = scene.capture()
    assert (evidence.path, evidence.captured) == ("", False)
    assert evidence.errors


class TestPruning:
    def session(self, scene, name, age, size=10):
        folder = scene.guard / "evidence" / name / "instance"
        folder.mkdir(parents=True)
        (folder / "stdout.log").write_bytes(b"x" * size)
        at = FakeClock().now().timestamp() - age
        os.utime(folder.parent, (at, at))

    def prune(self, scene, **limits):
        return EvidenceStore(scene.guard, FakeClock()).prune(**limits)

    def names(self, scene):
        return sorted(path.name for path in (scene.guard / "evidence").iterdir())

    def test_old_sessions_go(self, scene):
        self.session(scene, "young", 86400)
        self.session(scene, "old", 31 * 86400)
        assert self.prune(scene) == ["old"]
        assert self.names(scene) == ["young"]

    def test_oldest_go_when_all_are_too_much(self, scene):
        for age in range(5):
            self.session(scene, f"age-{age}", age, size=100)
        self.prune(scene, total_bytes=250)
        assert self.names(scene) == ["age-0", "age-1"]

    def test_links_are_not_followed(self, scene, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "precious").write_text("x")
        self.session(scene, "old", 31 * 86400)
        (scene.guard / "evidence" / "old" / "link").symlink_to(elsewhere)
        (scene.guard / "evidence" / "link").symlink_to(elsewhere)
        self.prune(scene, seconds=0)
        assert (elsewhere / "precious").exists()

    def test_nothing_there_is_nothing_to_do(self, scene):
        assert self.prune(scene) == []
