# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The two modules as programs: arguments in on standard input, one JSON result out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.modules import container_restart, service_health_info
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeEngine, RawServer, container, says
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.test_fence import MINE

COLLECTIONS = str(Path(service_health_info.__file__).resolve().parents[5])
SCOPE = "production/web/web1"


class Host:
    def __init__(self, path):
        self.socket = path / "docker.sock"
        self.guard = path / "guard"

    def arguments(self, **more):
        return {"scope": SCOPE, "container": "web", "docker_host": str(self.socket), "guard_dir": str(self.guard), **more}

    def run(self, module, check=False, diff=False, **more):
        arguments = {**self.arguments(**more), "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": str(self.guard.parent)}
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([COLLECTIONS, *filter(None, sys.path)])}
        done = subprocess.run(
            [sys.executable, module.__file__],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
            capture_output=True,
            text=True,
            env=environment,
            timeout=60,
            check=False,
        )
        return json.loads(done.stdout or "{}") or pytest.fail(done.stderr)

    def fence(self, token=1, **more):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        end = {"boot_id": boot, "seconds": time.clock_gettime(time.CLOCK_BOOTTIME) + 600}
        return {"session_id": "recovery-1", "scope": SCOPE, "token": token, "store_id": MINE, "not_after": end, "step": 2, **more}


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


@pytest.fixture
def engine(host):
    with FakeEngine(host.socket, container()) as engine:
        yield engine


def facts(result):
    """The names of what was returned; ansible-core before 2.21 adds the arguments, later ones when they are told to."""
    return set(result) - {"invocation"}


@pytest.mark.parametrize("check", [False, True])
def test_measuring_returns_facts_also_in_check_mode(host, engine, check):
    with RawServer(says(200)) as server:
        probes = [{"kind": "docker"}, {"kind": "http", "url": f"http://127.0.0.1:{server.port}/"}]
        result = host.run(service_health_info, check=check, probes=probes, policy={"a": 1}, session_id="s")
    assert facts(result) == {"changed", "scope", "policy", "health", "observed", "stable", "waited_s", "unreachable_host"}
    assert (result["changed"], result["scope"], result["policy"], result["stable"], result["unreachable_host"]) == (False, SCOPE, {"a": 1}, True, False)
    assert (result["health"]["overall_status"], result["health"]["session_id"]) == ("healthy", "s")


def test_measuring_does_not_fail_for_a_service_that_is_down(host, engine):
    engine.containers["web"]["State"].update(Status="exited", Running=False)
    result = host.run(service_health_info)
    assert (result["health"]["overall_status"], result["stable"], "failed" in result) == ("unhealthy", False, False)


def test_measuring_can_wait_for_health(host, engine):
    result = host.run(service_health_info, until_healthy_for=0.3, interval=0.1)
    assert (result["stable"], result["waited_s"] >= 0.3) == (True, True)
    engine.containers["web"]["State"].update(Status="exited", Running=False)
    result = host.run(service_health_info, until_healthy_for=0.3, interval=0.1, timeout=0.5)
    assert (result["stable"], result["waited_s"] < 2) == (False, True)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "web1"},
        {"scope": "production/web"},
        {"container": ""},
        {"container": "a/b"},
        {"docker_host": "tcp://1.2.3.4"},
        {"deadline": 0},
        {"startup_grace": -1},
        {"probes": [{"kind": "tcp"}]},
        {"probes": [{"kind": "tcp", "port": 1, "url": "http://x"}]},
        {"probes": [{"kind": "docker"}, {"kind": "docker"}]},
    ],
)
def test_arguments_that_cannot_be_meant_fail_with_the_reason(host, wrong):
    result = host.run(service_health_info, **wrong)
    assert (result["failed"], result["reason"]) == (True, "bad_input")


def test_secret_header_is_not_shown(host, engine):
    with RawServer(says(500)) as server:
        probes = [{"kind": "http", "url": f"http://127.0.0.1:{server.port}/", "attempts": 1, "secret_headers": {"X-Token": "canary-token"}}]
        result = host.run(service_health_info, probes=probes)
        assert "canary-token" in server.requests[0][2]
    assert "canary-token" not in json.dumps(result)


def test_restart_returns_facts(host, engine):
    result = host.run(container_restart, diff=True, fence=host.fence(), stable_window=0)
    expected = {"changed", "scope", "rung", "step", "outcome", "reason", "detail", "mutated", "health", "observed", "evidence", "waited_s", "unfinished"}
    assert facts(result) == expected | {"diff"}
    assert (result["outcome"], result["changed"], result["mutated"], result["rung"], result["step"]) == ("recovered", True, True, "container_restart", 2)
    assert result["diff"]["before"]["started_at"] != result["diff"]["after"]["started_at"]
    assert Path(result["evidence"]["path"], "inspect.json").exists()
    assert engine.restarts == [("web", None)]


def test_restart_in_check_mode_predicts_and_touches_nothing(host, engine):
    result = host.run(container_restart, check=True, diff=True, fence=host.fence())
    assert (result["outcome"], result["reason"], result["changed"], result["mutated"]) == ("not_started", "check_mode", True, False)
    assert engine.restarts == []
    assert not host.guard.exists()


def test_refusal_is_no_failure_and_no_change(host, engine):
    host.run(container_restart, fence=host.fence(token=5), stable_window=0)
    result = host.run(container_restart, fence=host.fence(token=4))
    assert (result["outcome"], result["reason"], result["changed"], "failed" in result) == ("refused", "fence_stale", False, False)


@pytest.mark.parametrize("wrong", [{"scope": "production/web/web2"}, {"store_id": "x"}])
def test_wrong_fence_fails(host, wrong):
    result = host.run(container_restart, fence=host.fence(**wrong))
    assert (result["failed"], result["reason"]) == (True, "bad_input")


def test_wrong_grace_fails(host):
    assert host.run(container_restart, fence=host.fence(), stop_grace=301)["reason"] == "bad_input"
