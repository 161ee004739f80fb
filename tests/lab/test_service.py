# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo service: every fault is what its name says, asked over HTTP from within the lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from . import Host, Lab, LabError, service, wait

pytestmark = pytest.mark.lab

_PORT = 8080
_DIRECTORY = "/srv/faults"


class Demo:
    """The service on one host."""

    def __init__(self, lab: Lab, host: Host) -> None:
        self.lab = lab
        self.host = host
        self.engine = host.engine()
        self.faults = service.Faults(host.path(_DIRECTORY))

    def start(self, release: str = "1", bad: bool = False, wait_for: int | None = 200, **options: Any) -> None:
        image = service.load(self.engine, release=release, bad=bad)
        service.run(self.engine, "web", port=_PORT, faults_dir=_DIRECTORY, image=image, **options)
        if wait_for:
            self.wait_for(wait_for)

    def get(self, timeout: float = 5) -> tuple[int, str]:
        return self.lab.get(f"http://{self.host.address}:{_PORT}/", timeout=timeout)

    def wait_for(self, status: int) -> None:
        wait.until(f"status {status}", lambda: self.get()[0] == status, seconds=10)

    def state(self) -> dict[str, object]:
        found: dict[str, object] = self.engine.containers.get("web").attrs["State"]
        return found

    def seconds_to(self, verb: str, *options: str) -> float:
        began = time.monotonic()
        self.host.docker(verb, *options, "web")
        return time.monotonic() - began


@pytest.fixture
def demo(lab: Lab) -> Iterator[Demo]:
    demo = Demo(lab, lab.hosts[0])
    yield demo
    demo.faults.clear()
    demo.host.run(["docker", "rm", "-f", "web"], check=False)


def test_healthy_service_says_name_and_release(demo: Demo) -> None:
    demo.start(release="3")
    assert demo.get() == (200, "web release 3\n")


def test_stops_at_once_when_told(demo: Demo) -> None:
    demo.start()
    assert demo.seconds_to("stop") < 2
    assert demo.state()["ExitCode"] == 0


def test_releases_have_digests_of_their_own_that_do_not_change() -> None:
    archives = [service.image_archive("1"), service.image_archive("2"), service.image_archive("1", bad=True)]
    assert len(set(archives)) == 3
    assert service.image_archive("1") == archives[0]
    assert all(len(archive) < 3_000_000 for archive in archives)


def test_bad_release_runs_and_answers_500(demo: Demo) -> None:
    demo.start(release="2", bad=True, wait_for=500)
    assert demo.get() == (500, "web release 2: this release is bad\n")
    assert demo.state()["Running"] is True


def test_crash_exits_with_1_at_every_start(demo: Demo) -> None:
    demo.start(restart_policy="no")
    demo.faults.set("crash")
    assert demo.get()[0] == 200
    demo.host.docker("restart", "web")
    wait.until("the exit", lambda: demo.state()["Running"] is False, seconds=10)
    assert demo.state()["ExitCode"] == 1
    demo.faults.clear("crash")
    demo.host.docker("start", "web")
    demo.wait_for(200)


def hangs(demo: Demo) -> bool:
    try:
        demo.get(timeout=0.5)
    except TimeoutError:
        return True
    return False


def answers_500(demo: Demo) -> bool:
    return demo.get()[0] == 500


def is_slow(demo: Demo) -> bool:
    began = time.monotonic()
    status, _ = demo.get()
    return status == 200 and time.monotonic() - began >= 0.5


def is_deaf(demo: Demo) -> bool:
    """Whether SIGTERM is said to be ignored; a well-behaved service would have ended, so this is asked of a running one only."""
    demo.host.docker("kill", "--signal", "TERM", "web")
    return bool(wait.until("a word in the log", lambda: b"SIGTERM ignored" in demo.engine.containers.get("web").logs(tail=1), seconds=10))


FAULTS = [("hang", "", hangs), ("http500", "", answers_500), ("slow", "0.5", is_slow)]


@pytest.mark.parametrize(("name", "content", "shows"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_permanent_fault_survives_restart_and_ends_when_cleared(demo: Demo, name: str, content: str, shows: Callable[[Demo], bool]) -> None:
    demo.start()
    assert not shows(demo)
    demo.faults.set(name, content)
    assert shows(demo)
    demo.host.docker("restart", "web")
    wait.until(f"{name} after the restart", lambda: shows(demo), seconds=10)
    demo.faults.clear(name)
    assert not shows(demo)


@pytest.mark.parametrize(("name", "content", "shows"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_fault_until_restart_is_cured_by_one(demo: Demo, name: str, content: str, shows: Callable[[Demo], bool]) -> None:
    demo.start()
    demo.faults.set(name, content, until_restart=True)
    assert shows(demo)
    demo.host.docker("restart", "web")
    demo.wait_for(200)
    assert not shows(demo)
    assert demo.faults.active() == []


def test_deaf_service_is_killed_after_its_grace(demo: Demo) -> None:
    demo.start()
    demo.faults.set("deaf")
    assert is_deaf(demo)
    assert demo.seconds_to("stop", "--time", "1") >= 1
    assert demo.state()["ExitCode"] == 137


def test_deaf_until_restart_is_cured_by_one(demo: Demo) -> None:
    demo.start()
    demo.faults.set("deaf", until_restart=True)
    assert is_deaf(demo)
    demo.host.docker("restart", "--time", "1", "web")
    demo.wait_for(200)
    assert demo.seconds_to("stop") < 2
    assert demo.state()["ExitCode"] == 0


def test_relapse_is_healthy_for_a_while_after_each_start(demo: Demo) -> None:
    demo.faults.set("relapse", "2")
    demo.start()
    demo.wait_for(500)
    demo.host.docker("restart", "web")
    demo.wait_for(200)
    demo.wait_for(500)


def test_start_delay_keeps_it_from_listening_and_stops_at_once(demo: Demo) -> None:
    demo.faults.set("start-delay", "1")
    began = time.monotonic()
    demo.start()
    assert time.monotonic() - began >= 1
    demo.faults.set("start-delay", "60")
    demo.host.docker("restart", "web")
    with pytest.raises(OSError, match=r"reset|refused|RemoteDisconnected"):
        demo.get()
    assert demo.seconds_to("stop") < 2


def test_fault_can_be_set_while_stopped(demo: Demo) -> None:
    demo.start()
    demo.host.docker("stop", "web")
    demo.faults.set("http500")
    demo.host.docker("start", "web")
    demo.wait_for(500)


def test_health_check_follows_the_service(demo: Demo) -> None:
    demo.start(healthcheck=service.healthcheck(interval=0.2, timeout=1, retries=1))

    def health() -> object:
        found = demo.state()["Health"]
        return found["Status"] if isinstance(found, dict) else None

    wait.until("healthy", lambda: health() == "healthy", seconds=10)
    demo.faults.set("http500")
    wait.until("unhealthy", lambda: health() == "unhealthy", seconds=10)


def test_on_the_network_of_the_host(demo: Demo) -> None:
    demo.start(network_mode="host", labels={"selfheal.test": "yes"})
    container = demo.engine.containers.get("web")
    assert container.labels["selfheal.test"] == "yes"
    assert container.attrs["HostConfig"]["NetworkMode"] == "host"


@pytest.mark.parametrize(
    ("name", "content", "until_restart"), [("nonsense", "", False), ("slow", "soon", False), ("relapse", "1.5", False), ("crash", "", True)]
)
def test_meaningless_fault_is_refused(demo: Demo, name: str, content: str, until_restart: bool) -> None:
    with pytest.raises(LabError, match=name):
        demo.faults.set(name, content, until_restart)
