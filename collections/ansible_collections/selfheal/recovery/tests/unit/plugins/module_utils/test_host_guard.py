# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The host's guard: real files, real locks, real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.files import NotPrivate
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.host_guard import HostGuard
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.fence import Fence, GuardRefused
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.scope import Scope
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils import guard_worker
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeClock
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.test_fence import MINE, OTHER, fence_of

SCOPE = Scope.parse("production/web/web1")
COLLECTIONS = str(Path(guard_worker.__file__).resolve().parents[7])


@pytest.fixture
def place(tmp_path):
    return tmp_path / "state" / "host"


def guard_at(place, **options):
    return HostGuard(place, FakeClock(), **{"wait_s": 0.2, **options})


def act(guard, needs_s=30, journal=None, **parts):
    with guard.acting(Fence.parse(fence_of(**parts)), "container_restart", needs_s, journal) as held:
        return held


def refused(guard, **parts):
    with pytest.raises(GuardRefused) as caught:
        act(guard, **parts)
    return caught.value


def files(place, folder):
    return sorted((place / folder).iterdir())


def test_reading_where_nobody_acted_writes_nothing(place):
    assert guard_at(place).read(SCOPE) == {"store_id": "", "token": 0, "journal": None}
    assert not place.parent.exists()


def test_acting_is_remembered(place):
    act(guard_at(place))
    assert guard_at(place).read(SCOPE) == {"store_id": MINE, "token": 5, "journal": None}


def test_everything_is_its_owners_alone(place):
    with guard_at(place).acting(Fence.parse(fence_of()), "x", 1, journal={}):
        for path in [place, *place.rglob("*")]:
            assert path.stat().st_mode & 0o077 == 0, path


def test_names_never_become_paths(place):
    act(guard_at(place), scope="..produ ction/..;rm -rf/....")
    assert all(path.resolve().is_relative_to(place.resolve()) for path in place.rglob("*"))
    assert not any("rm" in path.name for path in place.rglob("*"))


def test_lower_token_of_the_service_is_refused_for_every_instance(place):
    guard = guard_at(place)
    act(guard, token=7)
    assert refused(guard, token=6, scope="production/web/web2").reason == "fence_stale"
    assert act(guard, token=1, scope="production/db/db1")


def test_foreign_store_is_refused_until_adopted(place):
    guard = guard_at(place)
    act(guard, store=OTHER, token=90)
    error = refused(guard)
    assert (error.reason, f"--from {OTHER}" in str(error)) == ("foreign_store", True)
    assert guard.read(SCOPE)["store_id"] == OTHER
    act(guard, adopts=[OTHER], token=1)
    assert guard.read(SCOPE) == {"store_id": MINE, "token": 1, "journal": None}
    assert refused(guard, store=OTHER, token=91).reason == "foreign_store"


@pytest.mark.parametrize("parts", [{"seconds": 1029.0}, {"boot": "another-boot"}])
def test_lease_that_ends_too_soon_is_refused_and_nothing_remembered(place, parts):
    guard = guard_at(place)
    assert refused(guard, **parts).reason == "lease_expired"
    assert guard.read(SCOPE)["store_id"] == ""


def test_needs_can_be_asked_again_on_the_way(place):
    guard = guard_at(place)
    with guard.acting(Fence.parse(fence_of()), "x", 1) as held:
        held.require(500)
        guard.clock.at += 550
        with pytest.raises(GuardRefused) as caught:
            held.require(100)
    assert caught.value.reason == "lease_expired"


def test_prediction_refuses_alike_and_writes_nothing(place):
    guard = guard_at(place)
    guard.predict(Fence.parse(fence_of()), 30)
    assert not place.exists()
    act(guard, token=9)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    with pytest.raises(GuardRefused) as caught:
        guard.predict(Fence.parse(fence_of(token=8)), 30)
    assert caught.value.reason == "fence_stale"
    guard.predict(Fence.parse(fence_of(token=10)), 30)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before


class TestBusy:
    def test_second_one_is_told_who_is_there(self, place):
        with guard_at(place).acting(Fence.parse(fence_of()), "network_reset", 1):
            error = refused(guard_at(place), token=6)
        assert error.reason == "host_busy"
        assert "session recovery-1 (network_reset, process" in str(error)

    def test_other_instances_are_free(self, place):
        with guard_at(place).acting(Fence.parse(fence_of()), "x", 1):
            assert act(guard_at(place), scope="production/web/web2")

    def test_waiting_pays(self, place):
        worker = start(place, "0.3")
        assert line(worker).startswith("held")
        with HostGuard(place, wait_s=5).acting(real_fence(), "x", 1):
            pass
        worker.wait(5)

    def test_lock_is_free_after_an_exception(self, place):
        guard = guard_at(place)
        with pytest.raises(RuntimeError, match="inside"), guard.acting(Fence.parse(fence_of()), "x", 1):
            raise RuntimeError("inside")
        assert act(guard)

    def test_full_disk_keeps_nobody_locked(self, place, monkeypatch):
        act(guard_at(place))
        monkeypatch.setattr(os, "pwrite", full)
        assert act(guard_at(place))

    def test_unwritable_memory_is_a_refusal(self, place, monkeypatch):
        monkeypatch.setattr("ansible_collections.selfheal.recovery.plugins.module_utils._adapters.host_guard.write_whole", full)
        assert refused(guard_at(place)).reason == "guard_unreadable"


def full(*_args):
    raise OSError(28, "No space left on device")


class TestProcesses:
    def test_one_of_two_at_a_time(self, place):
        workers = [start(place, "20") for _each in range(4)]
        try:
            words = sorted(line(worker).split()[0] for worker in workers)
            assert words == ["held", "host_busy", "host_busy", "host_busy"]
        finally:
            for worker in workers:
                worker.kill()
                worker.wait(5)

    def test_killed_holder_frees_the_lock_and_leaves_its_journal(self, place):
        worker = start(place, "60")
        assert line(worker) == "held null\n"
        worker.send_signal(signal.SIGKILL)
        worker.wait(5)
        found = HostGuard(place).read(SCOPE)["journal"]
        assert (found["action"], found["step"], found["session_id"]) == ("container_restart", "begun", "recovery-1")
        with HostGuard(place, wait_s=0).acting(real_fence(), "undo", 1) as held:
            assert held.unfinished == found
            held.forget_journal()
        assert HostGuard(place).read(SCOPE)["journal"] is None

    def test_tokens_survive_a_race(self, place):
        workers = [start(place, "0", token=token, wait_s=20, scope=f"production/web/web{token}") for token in range(1, 9)]
        words = [line(worker).split()[0] for worker in workers]
        for worker in workers:
            worker.wait(5)
        assert HostGuard(place).read(SCOPE)["token"] == 8
        assert words[-1] == "held"
        assert set(words) <= {"held", "fence_stale"}


def start(place, seconds, **parts):
    fence = json.dumps({**fence_of(), **parts})
    environment = {**os.environ, "PYTHONPATH": COLLECTIONS}
    return subprocess.Popen([sys.executable, guard_worker.__file__, str(place), fence, seconds], stdout=subprocess.PIPE, text=True, env=environment)


def line(worker):
    with worker.stdout as stream:
        return stream.readline()


def real_fence(**parts):
    clock = HostGuard(Path("/")).clock
    return Fence.parse(fence_of(boot=clock.boot_id(), seconds=clock.boot_seconds() + 600, **parts))


class TestJournal:
    def test_it_is_there_while_acting_and_gone_afterwards(self, place):
        guard = guard_at(place)
        with guard.acting(Fence.parse(fence_of()), "network_reset", 1, journal={"endpoints": {"a": 1}}):
            found = guard.read(SCOPE)["journal"]
            assert (found["action"], found["endpoints"], found["scope"], found["token"]) == ("network_reset", {"a": 1}, str(SCOPE), 5)
        assert guard.read(SCOPE)["journal"] is None

    def test_it_stays_after_an_exception(self, place):
        guard = guard_at(place)
        with pytest.raises(RuntimeError, match="half-way"), guard.acting(Fence.parse(fence_of()), "network_reset", 1, journal={"a": 1}):
            raise RuntimeError("half-way")
        assert guard.read(SCOPE)["journal"]["a"] == 1

    def test_next_one_does_not_overwrite_it(self, place):
        guard = guard_at(place)
        with pytest.raises(RuntimeError, match="half-way"), guard.acting(Fence.parse(fence_of()), "network_reset", 1, journal={"a": 1}):
            raise RuntimeError("half-way")
        assert act(guard, journal={"a": 2}).unfinished["a"] == 1
        assert guard.read(SCOPE)["journal"]["a"] == 1

    def test_it_is_of_one_instance(self, place):
        guard = guard_at(place)
        with guard.acting(Fence.parse(fence_of()), "x", 1, journal={}):
            assert guard.read(SCOPE.of("web2"))["journal"] is None


class TestUnreadable:
    @pytest.mark.parametrize(
        "text", ["", "not json", "[]", '{"version": 2, "store_id": "x"}', '{"version": 1}', '{"version": 1, "store_id": ""}', '{"store_id": "x"}']
    )
    def test_corrupt_store_file_is_refused(self, place, text):
        act(guard_at(place))
        (place / "store.json").write_text(text)
        assert refused(guard_at(place)).reason == "guard_unreadable"

    @pytest.mark.parametrize(
        "text", ["", "{", json.dumps({"version": 1, "store_id": MINE}), json.dumps({"version": 1, "store_id": MINE, "token": "x"}), '{"version": 9}']
    )
    def test_corrupt_token_file_is_refused(self, place, text):
        act(guard_at(place))
        files(place, "services")[0].write_text(text)
        error = refused(guard_at(place))
        assert (error.reason, str(place) in str(error)) == ("guard_unreadable", True)

    def test_corrupt_journal_is_refused(self, place):
        guard = guard_at(place)
        with pytest.raises(RuntimeError, match="half-way"), guard.acting(Fence.parse(fence_of()), "x", 1, journal={}):
            raise RuntimeError("half-way")
        files(place, "journals")[0].write_text("{")
        assert refused(guard).reason == "guard_unreadable"
        with pytest.raises(GuardRefused):
            guard.read(SCOPE)

    @pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
    def test_directory_open_to_others_is_refused_with_the_remedy(self, place, mode):
        place.mkdir(parents=True)
        place.chmod(mode)
        for attempt in (lambda: act(guard_at(place)), lambda: guard_at(place).read(SCOPE)):
            with pytest.raises(NotPrivate, match=f"chmod 700 {place}") as caught:
                attempt()
            assert caught.value.reason == "guard_unreadable"

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
    def test_directory_of_somebody_else_is_refused_with_the_remedy(self, place):
        place.mkdir(parents=True, mode=0o700)
        os.chown(place, 12345, 12345)
        with pytest.raises(NotPrivate, match=r"12345.*chown"):
            act(guard_at(place))

    def test_link_in_its_place_is_refused(self, place, tmp_path):
        place.parent.mkdir()
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(NotPrivate):
            act(guard_at(place))
        assert list((tmp_path / "elsewhere").iterdir()) == []

    def test_lock_that_is_a_link_is_refused(self, place, tmp_path):
        act(guard_at(place))
        lock = files(place, "instances")[0]
        lock.unlink()
        lock.symlink_to(tmp_path / "victim")
        assert refused(guard_at(place)).reason == "guard_unreadable"
        assert not (tmp_path / "victim").exists()

    def test_directory_that_cannot_be_made_says_so(self, tmp_path):
        (tmp_path / "file").write_text("")
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
        for parent in ("file", "dangling"):
            with pytest.raises(NotPrivate, match="cannot be"):
                act(HostGuard(tmp_path / parent / "host", FakeClock()))
