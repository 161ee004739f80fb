# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab itself: sealed, reachable, breakable, and gone without a trace afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from . import Lab, LabError, cgroups, mounts, processes, service, wait

pytestmark = pytest.mark.lab

_REPOSITORY = Path(__file__).parents[2]


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.lab", *arguments]


def traces(lab: Lab) -> list[str]:
    """Whatever on this machine belongs to this lab."""
    plan = lab.plan
    found = [f"namespace {name}" for name in plan.namespaces if os.path.lexists(f"/run/netns/{name}")]
    found += [f"mount {point}" for point, _ in mounts.mounted() if point.is_relative_to(plan.state) or point.name in plan.namespaces]
    found += [f"cgroup {path}" for number in plan.numbers for path in cgroups.directories(plan.cgroup(number))]
    found += [f"file {path}" for path in (plan.state, plan.lock) if path.exists()]
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            text = (entry / "cmdline").read_text(errors="replace")
            if f"{plan.state}/" in text + (entry / "mountinfo").read_text(errors="replace"):
                found.append(f"process {entry.name}: {text}")
    return found


def test_hosts_reach_each_other_and_not_the_outside(lab: Lab) -> None:
    first, second, _ = lab.hosts
    knock = "import socket, sys; socket.create_connection((sys.argv[1], 22), timeout=2)"
    assert first.run(["python3", "-c", knock, second.address]).returncode == 0
    for outside in ("192.0.2.1", "1.1.1.1"):
        assert "Network is unreachable" in first.run(["python3", "-c", knock, outside], check=False).stderr
        assert "Network is unreachable" in lab.run([sys.executable, "-c", knock, outside]).stderr
    assert lab.run(["ip", "route", "show", "default"]).stdout == ""


def test_a_host_sees_its_own_processes_and_files_only(lab: Lab) -> None:
    host = lab.hosts[0]
    assert host.run(["hostname"]).stdout == "host1\n"
    assert host.run(["cat", "/proc/1/cmdline"]).stdout.startswith("/bin/sh\0/usr/local/sbin/lab-host")
    assert host.run(["ls", "/mnt"]).stdout == ""
    assert host.run(["ls", "/run/netns"], check=False).returncode != 0


@pytest.mark.parametrize(("names", "told"), [(["podman"], "engine 'podman': expected one of stock, "), (["stock", "stock"], "2 engines for 1 hosts")])
def test_engines_that_cannot_be_meant_are_refused(names: list[str], told: str) -> None:
    with pytest.raises(LabError, match=told):
        Lab("selftest-engines", hosts=1, engine_names=names)


def test_ssh_believes_the_known_host_key_only(lab: Lab) -> None:
    first, second, _ = lab.hosts
    assert lab.run(lab.ssh(second, "hostname")).stdout == "host2\n"
    impostor = lab.ssh(second, "hostname")
    impostor[1:1] = ["-o", f"HostKeyAlias={first.address}"]
    refused = lab.run(impostor)
    assert refused.returncode == 255
    assert "Host key verification failed" in refused.stderr
    assert (lab.state / "id_ed25519").stat().st_mode & 0o777 == 0o600


def test_engines_answer_and_are_each_their_own(lab: Lab) -> None:
    versions = {host.docker("version", "--format", "{{.Server.Version}}") for host in lab.hosts}
    assert len(versions) == 1
    assert len({host.engine().info()["ID"] for host in lab.hosts}) == 3


def test_ansible_reaches_the_hosts_of_an_inventory(lab: Lab, tmp_path: Path) -> None:
    inventory = lab.write_inventory(tmp_path / "hosts.yml", {"web-1": (0, {"port": 8080}), "web-2": (1, {})}, {"recovery_service": "web"})
    (tmp_path / "ansible.cfg").write_text("[defaults]\nhost_key_checking = true\n")
    ping = [
        sys.executable,
        "-m",
        "ansible",
        "adhoc",
        "-i",
        str(inventory),
        "recovery",
        "-o",
        "-m",
        "command",
        "-a",
        "echo {{ recovery_service }} {{ port | default(0) }}",
    ]
    done = lab.run(ping, cwd=tmp_path, env=os.environ | {"ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"), "ANSIBLE_LOCAL_TEMP": str(tmp_path)}, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "web 8080" in done.stdout
    assert "web 0" in done.stdout


def test_an_image_travels_through_the_registry(lab: Lab) -> None:
    first, second, _ = lab.hosts
    image = service.load(first.engine(), release="7", repository=f"{lab.registry}/demo")
    digest = service.push(first.engine(), image)
    assert second.engine().images.pull(f"{lab.registry}/demo@{digest}").attrs["RepoDigests"] == [f"{lab.registry}/demo@{digest}"]


def test_paths_on_a_host_follow_its_own_links(lab: Lab) -> None:
    host = lab.hosts[0]
    host.run(["ln", "-sfn", "/srv/real", "/srv/link"])
    host.write("/srv/real/file", "text", 0o600)
    assert host.read("/srv/link/file") == "text"
    assert host.run(["stat", "-c", "%a", "/srv/real/file"]).stdout == "600\n"
    assert host.path("/srv/link/../../../../etc/hostname").read_text() == "host1\n"
    with pytest.raises(LabError, match="absolute"):
        host.path("srv/real")


def test_events_are_those_of_the_time_asked_for(lab: Lab) -> None:
    host = lab.hosts[1]
    image = service.load(host.engine())
    began = time.time()
    host.docker("create", "--name", "seen", image)
    between = time.time()
    host.docker("rm", "seen")
    assert [event["Action"] for event in host.events(began)] == ["create", "destroy"]
    assert [event["Action"] for event in host.events(began, between)] == ["create"]


def test_pulled_cable_silences_a_host_until_it_is_plugged_in(lab: Lab) -> None:
    host = lab.hosts[2]
    host.link_down()
    try:
        with pytest.raises(OSError, match=r"timed out|No route"):
            host.sshd_answers()
        assert host.engine_answers()
    finally:
        host.link_up()
    wait.until("sshd", host.sshd_answers, seconds=10)


def test_frozen_engine_accepts_and_stays_silent(lab: Lab) -> None:
    host = lab.hosts[2]
    host.freeze_dockerd()
    try:
        with pytest.raises(TimeoutError):
            host.engine_answers()
        assert host.sshd_answers()
    finally:
        host.thaw_dockerd()
    wait.until("the engine", host.engine_answers, seconds=10)


def test_killed_engine_is_gone_until_it_is_started(lab: Lab) -> None:
    host = lab.hosts[2]
    host.kill_dockerd()
    with pytest.raises(ConnectionRefusedError):
        host.engine_answers()
    host.start_dockerd()
    assert host.docker("ps", "-q") == ""


def test_command_line_passes_the_exit_status_on(lab: Lab) -> None:
    done = subprocess.run(
        command_line("run", "--name", lab.name, "--", "sh", "-c", "ip -o link show bridge; exit 7"),
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7
    assert "bridge" in done.stdout
    assert subprocess.run(command_line("status", "--name", lab.name), cwd=_REPOSITORY, capture_output=True, check=False).returncode == 0
    missing = subprocess.run(command_line("run", "--name", "selftest-no", "--", "true"), cwd=_REPOSITORY, capture_output=True, text=True, check=False)
    assert missing.returncode == 2
    assert missing.stderr.startswith("lab: no lab selftest-no in ")


def test_a_running_lab_is_kept_by_a_second_up(lab: Lab) -> None:
    before = [host.pid for host in lab.hosts]
    assert Lab(lab.name).up() < 1
    assert [host.pid for host in lab.hosts] == before
    assert [host.pid for host in Lab.attach(lab.name).hosts] == before


def test_two_labs_side_by_side(lab: Lab) -> None:
    with Lab("selftest-b", hosts=1) as other:
        assert other.plan.subnet != lab.plan.subnet
        assert other.is_up()
        assert lab.is_up()
        image = service.load(other.hosts[0].engine())
        service.run(other.hosts[0].engine(), "paused", port=8080, faults_dir="/srv/faults", image=image)
        other.hosts[0].docker("pause", "paused")  # a frozen control group is the hardest to clear up
        other.hosts[0].freeze_dockerd()
    assert traces(other) == []
    other.down()
    assert lab.is_up()


@pytest.mark.parametrize("tree", [False, True], ids=["alone", "with its children"])
@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.4, 0.6, 0.9])
def test_killed_up_is_cleared_up(machine: None, seconds: float, tree: bool) -> None:
    lab = Lab("selftest-kill")
    assert traces(lab) == []
    up = subprocess.Popen(command_line("up", "--name", lab.name), cwd=_REPOSITORY, start_new_session=True, stdout=subprocess.DEVNULL)
    with suppress(subprocess.TimeoutExpired):
        up.wait(seconds)  # not a wait for something to be ready: the moment of the kill is what varies
    with suppress(ProcessLookupError):
        (os.killpg if tree else os.kill)(up.pid, signal.SIGKILL)
    up.wait()
    lab.down()
    assert traces(lab) == []


@pytest.mark.parametrize("seconds", [0.2, 0.4, 0.8])
def test_killed_down_is_finished_by_the_next(machine: None, seconds: float) -> None:
    lab = Lab("selftest-kill", hosts=2)
    lab.up()
    down = subprocess.Popen(command_line("down", "--name", lab.name), cwd=_REPOSITORY)
    with suppress(subprocess.TimeoutExpired):
        down.wait(seconds)  # as above
    down.kill()
    down.wait()
    lab.down()
    assert traces(lab) == []


def test_recycled_pid_is_not_killed(machine: None) -> None:
    lab = Lab("selftest-kill", hosts=1)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        for lie, survives in ((1, True), (0, False)):
            lab.plan.write()
            lab.plan.directory(1).mkdir()
            (lab.plan.directory(1) / "pid").write_text(f"{stranger.pid} {(processes.start_time(stranger.pid) or 0) + lie}\n")
            lab.down()
            assert (processes.start_time(stranger.pid) is not None) == survives


def test_up_goes_on_after_a_killed_one(machine: None) -> None:
    up = subprocess.Popen(command_line("up", "--name", "selftest-kill"), cwd=_REPOSITORY, stdout=subprocess.DEVNULL)
    lab = Lab("selftest-kill", hosts=2)
    wait.until("the first namespace", lambda: os.path.lexists(f"/run/netns/{lab.plan.namespace(1)}"), seconds=30)
    up.kill()
    up.wait()
    with lab:
        assert lab.is_up()
        assert not os.path.lexists(f"/run/netns/{lab.plan.namespace(3)}")
    assert traces(lab) == []


@pytest.mark.parametrize(("size", "told"), [("4k", r"host1 ended while it was starting\s[^$]*No space left"), ("64k", "dockerd ended with status 1")])
def test_failed_start_is_told_and_cleared_up(machine: None, size: str, told: str) -> None:
    lab = Lab("selftest-fail", hosts=1, host_size=size)
    with pytest.raises(LabError, match=told):
        lab.up()
    assert traces(lab) == []


def test_state_directory_of_a_stranger_is_left_alone(machine: None, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    Lab("selftest-x", state=tmp_path).down()
    assert (tmp_path / "mine").read_text() == "mine"
