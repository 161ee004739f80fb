# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kinds of probes on a real host with a real engine and real mounts: faults are made, and found for what they are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import service
from tests.lab.service import store

from .target import GUARD, PORT, Answer, Run, Target

pytestmark = pytest.mark.lab

STORE = "/srv/store"
HERE = {"kind": "storage", "path": STORE}
INSIDE = {"kind": "storage", "path": "/data", "in_container": True}


def found(answer: Answer) -> tuple[str, str, str]:
    """Status, remedy and message of the only probe."""
    (check,) = (each for each in answer["health"]["checks"] if each["kind"] != "docker")
    return check["status"], check["remedy"], check["message"]


def measure(target: Target, probe: dict[str, Any], run: Run = Run()) -> tuple[str, str, str]:
    return found(target.measure(run, probes=[probe]))


def forget(target: Target) -> None:
    """What was remembered of SQLite files."""
    target.host.run(["rm", "-rf", f"{GUARD}/probes"])


@pytest.fixture
def place(target: Target) -> Iterator[Path]:
    """The store of the service: a small file system of its own, mounted into the container."""
    with store.small_disk(target.host, STORE) as place:
        yield place
        target.host.run(["/bin/sh", "-c", "docker ps -aq | xargs -r docker rm -f"])


def start(target: Target, mode: str = "rw", **options: str) -> None:
    """The service, with the store mounted at /data; `options` of `docker run`."""
    flags = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    target.host.docker("run", "-d", "--name", "web", "-v", f"{STORE}:/data:{mode}", *flags, service.tag("1"))


@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_storage_in_container_healthy_when_its_database_is_in_order(target: Target, place: Path, journal: str) -> None:
    store.database(place / "notes.db", journal=journal)
    start(target)
    before = sorted((each.name, each.stat().st_mtime_ns) for each in place.iterdir())
    for probe in (HERE, INSIDE):
        status, _remedy, message = measure(target, probe)
        assert (status, "its SQLite file is in order" in message) == ("healthy", True), message
    assert sorted((each.name, each.stat().st_mtime_ns) for each in place.iterdir()) == before


def test_storage_in_container_failed_when_its_database_is_corrupt(target: Target, place: Path) -> None:
    store.damage(store.database(place / "notes.db"))
    start(target)
    for probe in (HERE, INSIDE):
        status, remedy, message = measure(target, probe)
        assert (status, remedy, "damaged: notes.db" in message) == ("failed", "report", True), message


def test_storage_in_container_failed_when_it_is_not_writable_for_its_user(target: Target, place: Path) -> None:
    start(target, user="1000:1000")
    assert measure(target, INSIDE)[0] == "healthy"
    place.chmod(0o755)
    status, remedy, message = measure(target, INSIDE)
    assert (status, remedy, "not writable for the user with id 1000" in message) == ("failed", "ladder", True), message
    assert measure(target, HERE)[0] == "healthy"  # root of the host may


def test_root_without_its_powers_may_not_write_either(target: Target, place: Path) -> None:
    place.chmod(0o755)
    target.host.run(["chown", "1234", STORE])
    start(target, cap_drop="all")
    assert measure(target, INSIDE)[:2] == ("failed", "ladder")


def test_storage_failed_when_it_is_mounted_read_only(target: Target, place: Path) -> None:
    start(target, mode="ro")
    status, remedy, message = measure(target, INSIDE)
    assert (status, remedy, "mounted read-only" in message) == ("failed", "report", True), message
    target.host.run(["mount", "-o", "remount,ro", STORE])
    assert measure(target, HERE)[:2] == ("failed", "report")


def test_storage_in_container_failed_when_the_path_is_missing_there(target: Target, place: Path) -> None:
    start(target)
    assert "does not exist" in measure(target, {**INSIDE, "path": STORE})[2]


def test_links_in_a_container_do_not_lead_out_of_it(target: Target, place: Path) -> None:
    (place / "out").symlink_to("/etc/hostname")
    (place / "guard").symlink_to(GUARD)
    start(target)
    target.host.run(["mkdir", "-p", GUARD])
    assert "does not exist" in measure(target, {**INSIDE, "path": "/data/guard"})[2]


def test_storage_in_container_soft_when_it_is_too_big(target: Target, place: Path) -> None:
    store.fill(place, mib=2)
    start(target)
    assert measure(target, {**INSIDE, "soft_mib": 1})[:2] == ("soft", "report")


def test_storage_in_container_unmeasured_without_the_rights_to_look(target: Target, place: Path) -> None:
    start(target)
    target.host.run(["chmod", "666", "/run/docker.sock"])
    try:
        status, _remedy, message = found(target.measure(Run(user="nobody"), probes=[INSIDE], guard_dir="/tmp/guard-of-nobody"))
    finally:
        target.host.run(["chmod", "660", "/run/docker.sock"])
    assert (status, "become: true" in message) == ("unmeasured", True), message


@pytest.mark.parametrize(("fault", "words"), [("space", "% full (more than 95)"), ("inodes", "% out of inodes (more than 95)")])
def test_disk_failed_when_it_is_full(target: Target, place: Path, fault: str, words: str) -> None:
    probe = {"kind": "disk", "paths": [STORE]}
    assert measure(target, probe)[0] == "healthy"
    if fault == "space":
        store.fill(place, mib=3.9)
    else:
        store.use_up_inodes(place)
    status, remedy, message = measure(target, probe)
    assert (status, remedy, words in message) == ("failed", "report", True), message


def test_disk_soft_when_it_is_filling_up(target: Target, place: Path) -> None:
    store.fill(place, mib=3.6)
    assert measure(target, {"kind": "disk", "paths": [STORE]})[:2] == ("soft", "report")


def test_disk_failed_when_it_was_remounted_read_only(target: Target, place: Path) -> None:
    target.host.run(["mount", "-o", "remount,ro", STORE])
    assert measure(target, {"kind": "disk", "paths": [STORE]})[:2] == ("failed", "report")


def test_path_that_is_mounted_read_only_does_not_hide_behind_another_of_the_same_file_system(target: Target, place: Path) -> None:
    (place / "fixed").mkdir()
    target.host.run(["mount", "--bind", f"{STORE}/fixed", f"{STORE}/fixed"])
    target.host.run(["mount", "-o", "remount,bind,ro", f"{STORE}/fixed"])
    try:
        status, _remedy, message = measure(target, {"kind": "disk", "paths": [STORE, f"{STORE}/fixed"]})
    finally:
        target.host.run(["umount", f"{STORE}/fixed"])
    assert (status, message) == ("failed", f"the file system of {STORE}/fixed is mounted read-only")


def test_disk_measures_where_the_engine_writes_unless_told(target: Target) -> None:
    target.start()
    status, _remedy, message = measure(target, {"kind": "disk", "soft_percent": 100, "failed_percent": 100})
    assert (status, "/ is " in message, "/var/lib/docker is " in message) == ("healthy", True, True), message


def command(*argv: str) -> dict[str, Any]:
    return {"kind": "command", "argv": list(argv), "in_container": True, "deadline": 3}


def test_command_in_container_runs_there_as_its_user(target: Target, place: Path) -> None:
    start(target, user="1000:1000")
    assert measure(target, command("/bin/busybox", "sh", "-c", "test $(/bin/busybox id -u) = 1000 && test -d /data"))[0] == "healthy"
    status, _remedy, message = measure(target, command("/bin/busybox", "sh", "-c", "echo no good >&2; exit 3"))
    assert (status, message) == ("failed", "/bin/busybox ended with status 3: no good")


@pytest.mark.parametrize("program", ["/no/such/program", "/etc"])
def test_command_in_container_unmeasured_when_the_image_has_no_such_program(target: Target, program: str) -> None:
    target.start()
    status, _remedy, message = measure(target, command(program))
    assert (status, "cannot be run in the container" in message) == ("unmeasured", True), message


@pytest.mark.parametrize("verb", ["pause", "stop"])
def test_command_in_container_failed_when_it_does_not_run(target: Target, verb: str) -> None:
    target.start()
    target.host.docker(*([verb, "-t", "0"] if verb == "stop" else [verb]), "web")
    assert measure(target, command("/bin/busybox", "true"))[0] == "failed"
    if verb == "pause":
        target.host.docker("unpause", "web")


def test_command_in_container_that_does_not_end_is_killed(target: Target) -> None:
    target.start()
    status, _remedy, message = measure(target, command("/bin/busybox", "sleep", "1234"))
    assert (status, "did not end within" in message, "it was killed" in message) == ("failed", True, True), message
    assert "sleep 1234" not in target.host.docker("exec", "web", "/bin/busybox", "ps")


def test_roundtrip_does_not_write_in_check_mode(target: Target) -> None:
    target.start()
    writing = {"kind": "roundtrip", "url": f"http://localhost:{PORT}/notes"}
    answer = target.measure(Run(check=True), probes=[{"kind": "container"}, writing])
    assert "roundtrip" not in answer.checks
    assert "not measured in check mode, because it writes to the service: roundtrip" in answer["health"]["warnings"]
    assert target.measure(probes=[{"kind": "container"}, writing]).checks["roundtrip"] == "failed"  # httpd takes no notes
