# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`container_restart` on a real host: what it cures, what it leaves alone, and what it says."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.lab import wait

from .target import GUARD, SCOPE, STORE, Run, Target

pytestmark = pytest.mark.lab


def configuration(target: Target) -> dict[str, object]:
    return {key: value for key, value in target.inspect().items() if key in ("Id", "Image", "Config", "HostConfig", "Mounts")}


def test_cures_what_a_restart_cures(target: Target) -> None:
    target.start()
    target.faults.set("http500", until_restart=True)
    target.wait_for(500)
    before = configuration(target)
    step = target.restart()
    assert (step.word, step["outcome"], step["reason"], step["mutated"]) == ("CHANGED", "recovered", "verified", True)
    assert (step["health"]["overall_status"], step["scope"], step["rung"]) == ("healthy", SCOPE, "container_restart")
    assert target.status() == 200
    assert configuration(target) == before
    assert step["waited_s"] >= 1


@pytest.mark.parametrize("state", ["exited", "created", "restarting"])
def test_starts_what_does_not_run(target: Target, state: str) -> None:
    if state == "restarting":
        target.faults.set("crash")
        target.start(wait_for=None)
        wait.until("a longer pause", lambda: target.inspect()["RestartCount"] > 4, seconds=30)
        wait.until("the pause", lambda: target.inspect()["State"]["Status"] == "restarting", seconds=10)
        target.faults.clear("crash")
    elif state == "exited":
        target.start(restart_policy="no")
        target.host.docker("kill", "web")
    else:
        options = ["--name", "web", "-p", "8080:8080", "-e", "SERVICE_NAME=web", "-e", "PORT=8080", "-v", "/srv/faults:/faults"]
        target.host.run(["mkdir", "-p", "/srv/faults"])
        target.host.docker("create", *options, "selfheal/demo:1")
    assert target.inspect()["State"]["Status"] == state
    step = target.restart()
    assert (step["outcome"], step["detail"].split(";")[0]) == ("recovered", f"restarted container web, which was {state}")
    assert target.status() == 200


def test_leaves_a_paused_container_alone(target: Target) -> None:
    target.start()
    target.host.docker("pause", "web")
    step = target.restart()
    assert (step.word, step["outcome"], step["reason"], step["mutated"]) == ("SUCCESS", "refused", "container_paused", False)
    assert target.inspect()["State"]["Status"] == "paused"
    target.host.docker("unpause", "web")


def test_missing_container_is_not_started(target: Target) -> None:
    step = target.restart()
    assert (step.word, step["outcome"], step["reason"], step["mutated"]) == ("SUCCESS", "not_started", "container_missing", False)


def test_says_that_it_did_not_help(target: Target) -> None:
    target.start()
    target.faults.set("http500")
    target.wait_for(500)
    step = target.restart()
    assert (step.word, step["outcome"], step["reason"], step["mutated"]) == ("CHANGED", "failed", "not_verified", True)
    assert "answered 500" in step["detail"]


def test_healthy_for_a_moment_is_not_recovered(target: Target) -> None:
    target.faults.set("relapse", "2")
    target.start()
    target.wait_for(500)
    step = target.restart(stable_window=5, verify_timeout=5)
    assert (step["outcome"], step["reason"]) == ("failed", "not_verified")


def test_crash_at_start_is_a_failure(target: Target) -> None:
    target.start(restart_policy="no")
    target.faults.set("crash")
    step = target.restart()
    assert (step["outcome"], step["reason"], step["mutated"]) == ("failed", "not_verified", True)
    assert "exit code 1" in step["detail"]


def test_start_that_the_engine_refuses_is_a_failure(target: Target) -> None:
    target.start(restart_policy="no")
    target.host.docker("stop", "web")
    target.start("thief")
    step = target.restart()
    assert (step["outcome"], step["reason"], step["mutated"]) == ("failed", "engine_error", True)
    assert "port is already allocated" in step["detail"]


def test_deaf_service_is_killed_after_the_grace_given(target: Target) -> None:
    target.start()
    target.faults.set("deaf", until_restart=True)
    began = time.monotonic()
    step = target.restart(stop_grace=1)
    assert step["outcome"] == "recovered"
    assert time.monotonic() - began < 10


def test_those_in_its_network_namespace_keep_their_network(target: Target) -> None:
    target.start()
    target.engine.containers.run(
        "selfheal/demo:1", name="sidecar", network_mode="container:web", entrypoint=["/bin/busybox", "sleep", "1000"], detach=True, init=True
    )
    ask = ["docker", "exec", "sidecar", "/bin/busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:8080/"]
    assert target.host.run(ask).stdout.startswith("web release 1")
    target.faults.set("http500", until_restart=True)
    step = target.restart()
    assert (step["outcome"], "sidecar" in step["detail"]) == ("recovered", True)
    assert target.host.run(ask).stdout.startswith("web release 1")


def test_frozen_engine_is_not_started_in_time(target: Target) -> None:
    target.start()
    with target.engine_frozen():
        began = time.monotonic()
        step = target.restart()
        seconds = time.monotonic() - began
    assert (step["outcome"], step["reason"], step["mutated"]) == ("not_started", "engine_timeout", False)
    assert seconds < 10 + 5


def test_check_mode_changes_nothing(target: Target) -> None:
    target.start()
    before = target.inspect()
    step = target.restart(Run(check=True))
    assert (step.word, step["outcome"], step["reason"], step["mutated"]) == ("CHANGED", "not_started", "check_mode", False)
    assert target.inspect() == before
    assert not target.host.path(GUARD).exists()


class TestEvidence:
    def test_it_is_on_the_host_and_masked(self, target: Target) -> None:
        target.start(environment={"PASSWORD": "canary-in-environment"})
        target.host.docker("exec", "web", "/bin/busybox", "sh", "-c", "echo canary-in-environment > /proc/1/fd/1; echo to-stderr > /proc/1/fd/2")
        step = target.restart()
        evidence = step["evidence"]
        assert (step["outcome"], evidence["captured"], evidence["errors"]) == ("recovered", True, [])
        folder = target.host.path(evidence["path"])
        assert "********" in (folder / "stdout.log").read_text()
        assert "to-stderr" in (folder / "stderr.log").read_text()
        assert "PASSWORD" in json.loads((folder / "inspect.json").read_text())["Config"]["Env"]
        assert json.loads((folder / "health.json").read_text())["overall_status"] == "healthy"
        everything = b"".join(path.read_bytes() for path in folder.iterdir()).decode()
        assert "canary" not in everything + step.output
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}

    def test_it_is_bounded_for_a_service_that_talks_a_lot(self, target: Target) -> None:
        target.start()
        target.host.docker("exec", "web", "/bin/busybox", "sh", "-c", "yes 0123456789012345678901234567890123456789 | head -c 30000000 > /proc/1/fd/1")
        step = target.restart()
        assert step["outcome"] == "recovered"
        assert 0 < sum(step["evidence"]["files"].values()) <= 2 * 1024 * 1024


class TestGuard:
    def test_one_at_a_time(self, target: Target) -> None:
        target.start()
        target.faults.set("deaf")
        first = target.begin_restart(stop_grace=15)
        wait.until("the first one", lambda: any(path.stat().st_size > 10 for path in Path(target.host.path(GUARD), "instances").iterdir()), seconds=20)
        second = target.restart()
        assert (second["outcome"], second["reason"]) == ("refused", "host_busy")
        assert "session recovery-1 (container_restart" in second["detail"]
        target.faults.clear("deaf")
        assert target.finish(first)["mutated"] is True

    def test_overtaken_session_is_refused(self, target: Target) -> None:
        target.start()
        assert target.restart(fence=target.fence(token=5))["outcome"] == "recovered"
        started = target.inspect()["State"]["StartedAt"]
        for fence, reason in (
            (target.fence(token=4), "fence_stale"),
            (target.fence(token=6, store_id="b" * 32), "foreign_store"),
            (target.fence(token=6, lease=20), "lease_expired"),
            (target.fence(token=6, not_after={"boot_id": "another", "seconds": 1e9}), "lease_expired"),
        ):
            step = target.restart(fence=fence)
            assert (step.word, step["outcome"], step["reason"]) == ("SUCCESS", "refused", reason)
        assert target.inspect()["State"]["StartedAt"] == started
        assert target.measure()["observed"]["guard"]["store_id"] == STORE

    def test_it_is_free_after_the_connection_was_cut(self, target: Target) -> None:
        target.start()
        target.faults.set("deaf", until_restart=True)
        running = target.begin_restart(stop_grace=5)
        wait.until("its lock", lambda: any(path.stat().st_size > 10 for path in Path(target.host.path(GUARD), "instances").iterdir()), seconds=20)
        running.kill()
        running.communicate()
        wait.until("an answer", lambda: target.status() == 200, seconds=30)
        target.faults.clear()

        def acted() -> bool:
            return bool(target.restart()["reason"] != "host_busy")

        wait.until("the lock to be free", acted, seconds=60)

    def test_unreachable_host_may_have_restarted_it(self, target: Target) -> None:
        fence = target.fence()
        target.host.link_down()
        try:
            step = target.restart(fence=fence)
        finally:
            target.host.link_up()
        wait.until("the host again", target.host.sshd_answers, seconds=10)
        assert (step.word, step["outcome"], step["mutated"]) == ("CHANGED", "unreachable", True)
