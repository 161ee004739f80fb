# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`service_health_info` on a real host: what is wrong, and whose fault it is."""

from __future__ import annotations

import time

import pytest

from tests.lab import service, wait

from .target import PORT, SCOPE, Run, Target

pytestmark = pytest.mark.lab


def test_healthy_service(target: Target) -> None:
    target.start()
    measured = target.measure(policy={"ladder": ["container_restart"]}, session_id="s1")
    assert measured.word == "SUCCESS"
    assert measured["health"]["overall_status"] == "healthy"
    assert measured.checks == {"docker": "healthy", "container": "healthy", "http": "healthy"}
    assert (measured["scope"], measured["health"]["session_id"], measured["policy"]) == (SCOPE, "s1", {"ladder": ["container_restart"]})
    container, real = measured["observed"]["container"], target.inspect()
    assert (container["id"], container["image"], container["state"]) == (real["Id"], real["Image"], "running")
    assert 0 < container["uptime_s"] < 60
    assert measured["observed"]["guard"] == {"store_id": "", "token": 0, "journal": None}


@pytest.mark.parametrize("run", [Run(verbose=True), Run(verbose=True, user="root"), Run(verbose=True, user="nobody")])
def test_measuring_leaves_no_file_on_the_host_whoever_it_runs_as(target: Target, run: Run) -> None:
    target.start()
    before = target.host.run(["find", "/tmp", "/root", "-newer", "/etc/hostname"]).stdout
    measured = target.measure(run, guard_dir="/nowhere", probes=[{"kind": "command", "argv": ["/usr/bin/id", "-un"]}])
    assert measured.checks["command"] == "healthy", measured.output
    assert "AnsiballZ" not in measured.output
    assert target.host.run(["find", "/tmp", "/root", "-newer", "/etc/hostname"]).stdout == before


def test_host_without_any_room_left_is_measured_all_the_same(target: Target) -> None:
    """Lesson 46: the one who tells that a disk is full must not need room on it."""
    target.start()
    filled = ["/srv/everything", "/tmp/everything"]
    try:
        for path in filled:
            assert target.host.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M"], check=False).returncode != 0
        measured = target.measure(probes=[{"kind": "docker"}, {"kind": "container"}, {"kind": "disk", "paths": ["/"]}])
    finally:
        target.host.run(["rm", "-f", *filled])
    assert measured.checks == {"docker": "healthy", "container": "healthy", "disk": "failed"}
    assert measured["health"]["overall_status"] == "degraded"


@pytest.mark.parametrize(("fault", "message"), [("http500", "answered 500"), ("hang", "no answer within 2.0 s")])
def test_service_that_does_not_work_is_unhealthy(target: Target, fault: str, message: str) -> None:
    target.start()
    target.faults.set(fault)
    measured = target.measure()
    assert (measured.word, measured["health"]["overall_status"]) == ("SUCCESS", "unhealthy")
    assert message in measured["health"]["checks"][2]["message"]


@pytest.mark.parametrize(("verb", "state"), [("pause", "paused"), ("kill", "exited"), ("rm", "missing")])
def test_container_that_does_not_run_is_unhealthy(target: Target, verb: str, state: str) -> None:
    target.start(restart_policy="no")
    target.host.docker(*(["rm", "-f"] if verb == "rm" else [verb]), "web")
    measured = target.measure(probes=[{"kind": "docker"}, {"kind": "container"}])
    assert (measured["health"]["overall_status"], measured["observed"]["container"]["state"]) == ("unhealthy", state)
    if verb == "pause":
        target.host.docker("unpause", "web")


def test_crash_loop_is_unhealthy(target: Target) -> None:
    target.faults.set("crash")
    target.start(wait_for=None)
    wait.until("some restarts", lambda: target.inspect()["RestartCount"] > 5, seconds=30)
    measured = target.measure()
    assert measured["health"]["overall_status"] == "unhealthy"
    assert measured["observed"]["container"]["restart_count"] > 5


def test_another_containers_name_is_no_match(target: Target) -> None:
    target.start("web-2")
    measured = target.measure(probes=[{"kind": "container"}])
    assert measured["observed"]["container"]["found"] is False
    prefix = target.inspect("web-2")["Id"][:6]
    assert target.measure(container=prefix, probes=[{"kind": "container"}])["observed"]["container"]["found"] is False


def test_docker_health_counts(target: Target) -> None:
    target.start(healthcheck=service.healthcheck(interval=0.3, timeout=1, retries=1))
    wait.until("healthy", lambda: target.inspect()["State"]["Health"]["Status"] == "healthy", seconds=10)
    only = [{"kind": "container"}]
    measured = target.measure(probes=only)
    assert (measured["health"]["overall_status"], measured["health"]["warnings"]) == ("healthy", [])
    target.faults.set("http500")
    wait.until("unhealthy", lambda: target.inspect()["State"]["Health"]["Status"] == "unhealthy", seconds=10)
    measured = target.measure(probes=only)
    assert measured["health"]["overall_status"] == "unhealthy"
    assert "500" in measured["health"]["checks"][0]["message"]


def test_unfinished_health_check_is_unknown(target: Target) -> None:
    target.start(healthcheck=service.healthcheck(interval=60))
    measured = target.measure()
    assert (measured["health"]["overall_status"], measured["observed"]["starting"]) == ("unknown", True)


def test_digest_is_the_registrys(target: Target) -> None:
    repository = f"{target.lab.registry}/demo"
    image = service.load(target.engine, repository=repository)
    digest = service.push(target.engine, image)
    target.start(image=image)
    assert target.measure()["observed"]["container"]["digest"] == f"{repository}@{digest}"


def test_frozen_engine_is_unknown_in_time(target: Target) -> None:
    target.start()
    with target.engine_frozen():
        began = time.monotonic()
        measured = target.measure(deadline=6)
        seconds = time.monotonic() - began
    assert seconds < 6 + 4
    assert (measured.word, measured["health"]["overall_status"], measured["unreachable_host"]) == ("SUCCESS", "unknown", False)
    assert measured.checks == {"docker": "unmeasured", "container": "unmeasured", "http": "healthy"}
    assert measured["observed"]["container"] is None
    assert target.measure()["health"]["overall_status"] == "healthy"


def test_dead_engine_is_unknown(target: Target) -> None:
    target.start()
    target.host.kill_dockerd()
    try:
        measured = target.measure()
    finally:
        target.host.start_dockerd()
    assert measured["health"]["overall_status"] == "unknown"
    assert "systemctl start docker" in measured["health"]["errors"][0]


def test_waiting_for_health(target: Target) -> None:
    target.faults.set("start-delay", "3")
    target.start(wait_for=None)
    measured = target.measure(until_healthy_for=1, timeout=20, interval=0.2)
    assert (measured["stable"], measured["health"]["overall_status"]) == (True, "healthy")
    assert 1 <= measured["waited_s"] < 15


def test_unreachable_host_is_a_verdict(target: Target) -> None:
    target.start()
    target.host.link_down()
    try:
        measured = target.measure(policy={"a": 1})
    finally:
        target.host.link_up()
    assert (measured.word, measured.status, measured["unreachable_host"]) == ("SUCCESS", 0, True)
    assert (measured["health"]["overall_status"], measured["observed"], measured["policy"]) == ("unknown", {}, {"a": 1})
    wait.until("the host again", target.host.sshd_answers, seconds=10)
    assert target.measure()["unreachable_host"] is False


def test_missing_interpreter_is_a_verdict(target: Target) -> None:
    measured = target.measure(Run(python="/no/such/python"))
    assert (measured.word, measured["health"]["overall_status"], measured["unreachable_host"]) == ("SUCCESS", "unknown", False)
    assert "/no/such/python" in measured["health"]["errors"][0]


def test_timeout_of_the_task_is_a_verdict(target: Target) -> None:
    with target.engine_frozen():
        measured = target.measure(Run(timeout=2))
    assert (measured.word, measured["health"]["overall_status"], measured["unreachable_host"]) == ("SUCCESS", "unknown", False)
    assert "timeout" in measured["health"]["errors"][0]


def test_arguments_that_cannot_be_meant_fail(target: Target) -> None:
    measured = target.measure(probes=[{"kind": "ping"}])
    assert (measured.word, measured.status) == ("FAILED!", 2)


def test_secrets_are_nowhere_at_the_highest_verbosity(target: Target) -> None:
    target.start(environment={"PASSWORD": "canary-in-environment"})
    probe = {"kind": "http", "url": f"http://localhost:{PORT}/", "secret_headers": {"X-Token": "canary-in-header"}}
    command = {"kind": "command", "argv": ["docker", "exec", "web", "/bin/busybox", "sh", "-c", "echo $PASSWORD; exit 1"]}
    measured = target.measure(Run(verbose=True), probes=[probe, command])
    assert "canary-in-environment" not in measured.output
    assert "canary-in-header" not in measured.output
    assert measured["health"]["checks"][1]["message"] == "docker ended with status 1: ********"
