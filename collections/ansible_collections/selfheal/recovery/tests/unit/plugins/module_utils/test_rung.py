# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The first rung from guard to verdict, on an engine that does what it is told, or not."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.container_restart import ContainerRestart
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.client import Engine
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.evidence import EvidenceStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.host_guard import HostGuard
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.rung import Rung
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.fence import Fence
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import ID, FakeClock, container, response
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.test_fence import OTHER, fence_of
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.test_prober import Bench


class Stage:
    def __init__(self, path):
        self.bench = Bench(path)
        self.clock = FakeClock()

    def rung(self, grace=None, **options):
        guard = HostGuard(self.bench.path / "guard", self.clock, wait_s=0.2)
        prober = replace(self.bench.prober({"kind": "docker"}, {"kind": "container"}, clock=self.clock, seconds=1.0), guard=guard)
        fence = Fence.parse(fence_of(**options.pop("fence", {})))
        return Rung(fence, ContainerRestart(grace), Engine(str(self.bench.socket)), guard, prober, **{"evidence_seconds": 1.0, **options})

    def run(self, **options):
        return self.rung(**options).run()


@pytest.fixture
def stage(tmp_path):
    stage = Stage(tmp_path)
    yield stage
    if stage.bench.engine:
        stage.bench.engine.__exit__()


@pytest.mark.parametrize("state", ["running", "exited", "created", "restarting"])
def test_restart_that_cures_is_recovered(stage, state):
    engine = stage.bench.start(container(state=state))
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason, outcome.mutated) == ("recovered", "verified", True)
    assert outcome.detail == f"restarted container web, which was {state}; healthy for 10 s without a break"
    assert engine.restarts == [("web", None)]
    assert outcome.waited_s == 10
    assert (outcome.health["overall_status"], outcome.observed["container"]["state"]) == ("healthy", "running")
    assert (outcome.before["state"], outcome.after["state"]) == (state, "running")
    assert outcome.evidence["captured"]
    assert outcome.unfinished is None


def test_restart_that_does_not_cure_is_failed(stage):
    stage.bench.start(container(state="exited")).on_restart = lambda _found: None
    outcome = stage.run(verify_timeout=3.0)
    assert (outcome.outcome, outcome.reason, outcome.mutated) == ("failed", "not_verified", True)
    assert "container web is exited" in outcome.detail
    assert outcome.waited_s <= 4


def test_paused_container_is_left_alone(stage):
    engine = stage.bench.start(container(state="paused"))
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason, outcome.mutated) == ("refused", "container_paused", False)
    assert engine.restarts == []


@pytest.mark.parametrize("state", ["dead", "removing", ""])
def test_what_cannot_be_started_is_not_restarted(stage, state):
    engine = stage.bench.start(container(state=state))
    outcome = stage.run()
    assert (outcome.outcome, outcome.mutated, engine.restarts) == ("not_started", False, [])


def test_missing_container_is_not_started(stage):
    stage.bench.start(container("web-2"))
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason, outcome.mutated) == ("not_started", "container_missing", False)


def test_silent_engine_is_not_started(stage):
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason, outcome.mutated) == ("not_started", "engine_unreachable", False)


def test_container_that_vanishes_in_between_is_not_started(stage):
    stage.bench.start(container()).fail["restart"] = response(404, b'{"message": "No such container: web"}')
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason, outcome.mutated) == ("not_started", "container_missing", False)


@pytest.mark.parametrize(("status", "text"), [(500, "cannot start"), (400, "no such program"), (404, "network abc not found")])
def test_error_on_restart_may_have_stopped_it(stage, status, text):
    stage.bench.start(container()).fail["restart"] = response(status, b'{"message": "%s"}' % text.encode())
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason, outcome.mutated) == ("failed", "engine_error", True)
    assert text in outcome.detail
    assert outcome.health["overall_status"] == "healthy"


def test_engine_that_falls_silent_after_the_order_may_have_obeyed(stage, monkeypatch):
    module = "ansible_collections.selfheal.recovery.plugins.module_utils._adapters.container_restart"
    monkeypatch.setattr(f"{module}.RESTART_MARGIN", 0.5)
    stage.bench.start(container()).hang.add("restart")
    began = time.monotonic()
    outcome = stage.run(grace=0)
    assert time.monotonic() - began < 5
    assert (outcome.outcome, outcome.reason, outcome.mutated) == ("failed", "engine_timeout", True)


def test_somebody_elses_recreation_is_not_ours(stage):
    def recreate(found):
        found["Image"] = "sha256:other"
        found["Config"]["Env"] = []

    stage.bench.start(container()).on_restart = recreate
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason) == ("failed", "container_replaced")
    assert "image, Config.Env" in outcome.detail


def test_those_in_its_network_are_restarted_after_it(stage):
    user = container("sidecar", Id="f" * 64, HostConfig={"NetworkMode": f"container:{ID}"})
    other = container("other", Id="e" * 64)
    engine = stage.bench.start(container(), user, other)
    outcome = stage.run()
    assert [name for name, _grace in engine.restarts] == ["web", "sidecar"]
    assert "sidecar in its network namespace" in outcome.detail


def test_those_in_its_network_count_in_the_time_needed(stage):
    users = [container(f"user{number}", Id=str(number) * 64, HostConfig={"NetworkMode": f"container:{ID}"}) for number in range(4)]
    engine = stage.bench.start(container(), *users)
    outcome = stage.run(fence={"seconds": 1150.0})
    assert (outcome.outcome, outcome.reason, engine.restarts) == ("refused", "lease_expired", [])


def test_grace_is_the_containers_own_unless_given(stage):
    engine = stage.bench.start(container(Config={"StopTimeout": 45}))
    stage.run()
    stage.run(grace=3)
    assert [grace for _name, grace in engine.restarts] == [None, "3"]


def test_endless_patience_is_bounded(stage):
    engine = stage.bench.start(container(Config={"StopTimeout": -1}))
    stage.run()
    assert [grace for _name, grace in engine.restarts] == ["300"]


def test_lease_must_cover_the_restart(stage):
    engine = stage.bench.start(container(Config={"StopTimeout": 200}))
    outcome = stage.run(fence={"seconds": 1200.0})
    assert (outcome.outcome, outcome.reason, engine.restarts) == ("refused", "lease_expired", [])


def test_lease_that_ends_while_evidence_is_saved_stops_it(stage, monkeypatch):
    engine = stage.bench.start(container())
    capture = EvidenceStore.capture

    def sleep_through(*args):
        stage.clock.at += 3600
        return capture(*args)

    monkeypatch.setattr(EvidenceStore, "capture", sleep_through)
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason, outcome.mutated, engine.restarts) == ("refused", "lease_expired", False, [])


@pytest.mark.parametrize(
    ("first", "second", "reason"), [({"token": 9}, {"token": 8}, "fence_stale"), ({"store": OTHER}, {}, "foreign_store"), ({}, {"boot": "x"}, "lease_expired")]
)
def test_refusals_of_the_guard(stage, first, second, reason):
    engine = stage.bench.start(container())
    stage.run(fence=first, stable_window=0.0)
    before = list(engine.restarts)
    outcome = stage.run(fence=second)
    assert (outcome.outcome, outcome.reason, outcome.mutated, engine.restarts) == ("refused", reason, False, before)


def test_unreadable_guard_is_a_refusal(stage):
    engine = stage.bench.start(container())
    (stage.bench.path / "guard").mkdir(mode=0o755)
    outcome = stage.run()
    assert (outcome.outcome, outcome.reason, engine.restarts) == ("refused", "guard_unreadable", [])


def test_leftover_journal_is_reported_and_kept(stage):
    stage.bench.start(container())
    rung = stage.rung()
    with pytest.raises(RuntimeError, match="half-way"), rung.guard.acting(rung.fence, "network_reset", 1, journal={"endpoints": 1}):
        raise RuntimeError("half-way")
    outcome = rung.run()
    assert (outcome.outcome, outcome.unfinished["action"]) == ("recovered", "network_reset")
    assert rung.guard.read(rung.fence.scope)["journal"]["endpoints"] == 1


class TestPrediction:
    def test_nothing_is_touched(self, stage):
        engine = stage.bench.start(container(state="exited"))
        outcome = stage.rung().predict()
        assert (outcome.outcome, outcome.reason, outcome.mutated) == ("not_started", "check_mode", False)
        assert (outcome.before["state"], outcome.after["state"]) == ("exited", "running")
        assert engine.restarts == []
        assert not (stage.bench.path / "guard").exists()

    @pytest.mark.parametrize(("state", "reason"), [("paused", "container_paused"), ("dead", "container_dead")])
    def test_what_would_not_be_done_is_said(self, stage, state, reason):
        stage.bench.start(container(state=state))
        assert stage.rung().predict().reason == reason

    def test_guard_is_asked(self, stage):
        stage.bench.start(container())
        stage.run(stable_window=0.0)
        assert stage.rung(fence={"token": 1}).predict().reason == "fence_stale"
        assert stage.rung(fence={"seconds": 1030.0}).predict().reason == "lease_expired"
