# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal state` on embedded stores; `tests/postgresql` has the same between both kinds."""

from __future__ import annotations

import json
import os
import stat
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters import sqlite
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.sqlite import SqliteStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.events import Event
from ansible_collections.selfheal.recovery.tests.unit.plugins.place import Environment, Place, Service, session
from ansible_collections.selfheal.recovery.tests.unit.plugins.plugin_utils.shell import Run, place, run

__all__ = ["place", "run"]

EVENTS = tuple(Event("2026-01-02T03:04:05.678Z", "production/web", "recovery", "increment", failure_count=number) for number in range(30))
DAY = timedelta(days=1)


def new(place: Place, name: str = "other") -> str:
    return f"sqlite:///{place.directory}/{name}/state.db"


def whole(url: str):
    store = SqliteStore(url[len("sqlite:///") :])
    try:
        return store.whole()
    finally:
        store.close()


def filled(place: Place, **more):
    place.fill(service=Service(fence=41, **more), environment=Environment(), events=EVENTS)
    return whole(place.url)


# init, info


def test_init_makes_the_store_once_and_says_which_it_is(place: Place, run: Run) -> None:
    made = run("state", "init")
    again = run("state", "init", "--json")
    store_id = run("state", "info", "--json").json["store_id"]
    assert (made.code, made.out) == (0, f"made: store {store_id} in {place.url}\n")
    assert again.json == {"store_id": store_id, "url": place.url, "created": False}


@pytest.mark.parametrize(("hours", "words"), [(0, ""), (1, "ahead of this machine's clock")])
def test_info_warns_when_the_stores_time_is_far_from_this_machines_clock(place: Place, run: Run, hours: int, words: str) -> None:
    store = SqliteStore(str(place.path), clock=lambda: datetime.now(timezone.utc) + timedelta(hours=hours))
    store.transact(["production"], lambda _snapshot: Change({"production": {}}))
    store.close()
    said = run("state", "info")
    assert said.code == 0
    assert (words in said.err) if words else said.err == ""


# Moving.


def test_move_keeps_everything_and_the_identity_and_retires_the_source(place: Place, run: Run) -> None:
    before, target = filled(place), new(place)
    said = run("state", "import", place.url, "--state", target, "--json")
    assert said.json == {"moved": True, "store_id": before.store_id, "former_store_id": before.store_id, "documents": 2, "events": 30}
    assert f"RECOVERY_STATE (here it is {target})" in said.err
    assert whole(target).same_content(before)
    for argv in (("state", "info"), ("breaker", "status"), ("breaker", "open", "--reason", "x"), ("state", "backup", str(place.directory / "copy"))):
        assert f"moved it to {target} at 20" in run(*argv).one_line
    assert not (place.directory / "copy").exists()


def test_path_of_a_store_is_as_good_as_its_url(place: Place, run: Run) -> None:
    before, target = filled(place), new(place)
    assert run("state", "import", str(place.path), "--state", target).code == 0
    assert whole(target).store_id == before.store_id


def test_move_without_a_source_makes_none(place: Place, run: Run) -> None:
    line = run("state", "import", new(place, "nowhere")).one_line
    assert "expected a state in" in line
    assert not (place.directory / "nowhere").exists()
    assert "no such file" in run("state", "import", str(place.directory / "nowhere")).one_line


def test_store_is_not_moved_into_itself(place: Place, run: Run) -> None:
    filled(place)
    assert "expected another store" in run("state", "import", place.url).one_line
    assert whole(place.url).documents


def test_state_does_not_go_back_to_a_place_that_it_left(place: Place, run: Run) -> None:
    before, target = filled(place), new(place)
    assert run("state", "import", place.url, "--state", target).code == 0
    line = run("state", "import", target, "--state", place.url).one_line
    assert f"found one of this very state that is retired in {place.url}" in line
    assert "Name a new place" in line
    assert whole(target).same_content(before)


def test_store_that_is_in_use_by_a_session_is_not_moved(place: Place, run: Run) -> None:
    filled(place, session=session())
    line = run("state", "import", place.url, "--state", new(place)).one_line
    assert "cron@control on production/web with a lease until 2999" in line
    assert whole(place.url).documents


def test_lease_that_ended_does_not_hold_a_move_up(place: Place, run: Run) -> None:
    before = filled(place, session=session(expires_at="2026-01-01T00:00:00.000Z"))
    assert run("state", "import", place.url, "--state", new(place)).code == 0
    assert whole(new(place)).same_content(before)


# Copies.


def test_backup_is_private_never_overwrites_and_is_no_store(place: Place, run: Run) -> None:
    filled(place)
    file = place.directory / "backup.db"
    assert run("state", "backup", str(file)).out.startswith(f"written to {file}: 2 documents and 30 events of store ")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert "expected a new file for the backup" in run("state", "backup", str(file)).one_line
    assert "found a backup that was made at" in run("breaker", "status", "--state", f"sqlite:///{file}").one_line
    assert file.read_bytes() == content
    assert sorted(path.name for path in place.directory.glob("backup*")) == ["backup.db"]


def test_backup_into_no_directory_says_what_to_name_instead(place: Place, run: Run) -> None:
    filled(place)
    line = run("state", "backup", str(place.directory / "none" / "backup.db")).one_line
    assert "no such file or directory" in line
    assert "Name a file in a directory that exists" in line


def test_backup_that_was_killed_halfway_is_no_store_to_move(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the state is in the copy, and it is not marked yet: importing it would make a second store of one identity."""
    filled(place)
    file = place.directory / "backup.db"
    child = os.fork()
    if child == 0:
        try:
            monkeypatch.setattr(sqlite, "_note", lambda *_note: os._exit(9))
            SqliteStore(str(place.path)).backup(str(file), "me")
        finally:
            os._exit(0)
    assert os.WEXITSTATUS(os.waitpid(child, 0)[1]) == 9
    assert "expected" in run("state", "import", str(file), "--state", new(place)).one_line
    assert "expected" in run("state", "info", "--state", f"sqlite:///{file}").one_line


@pytest.mark.parametrize("kind", ["backup", "export"])
def test_copy_comes_back_as_a_new_store_that_takes_the_hosts_over(place: Place, run: Run, kind: str) -> None:
    before, target, file = filled(place), new(place), place.directory / "copy"
    assert run("state", kind, *(["--output"] if kind == "export" else []), str(file)).code == 0
    assert "--reason" in run("state", "import", str(file), "--state", target).one_line
    said = run("state", "import", str(file), "--state", target, "--reason", "the disk died")
    after = whole(target)
    assert f"as store {after.store_id}, which takes over the hosts of {before.store_id}" in said.out
    assert after.store_id != before.store_id
    assert after.documents["production"]["adopts"] == [before.store_id]
    assert after.documents["production/web"] == before.documents["production/web"]
    assert list(after.events[:-1]) == list(before.events)
    assert (after.events[-1].body["action"], after.events[-1].body["reason"]) == ("adopted", "the disk died")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": "other"}', '{"format": "selfheal.recovery state", "version": 2}', '{"format": "selfheal.recovery state", "version": 1}'],
)
def test_what_is_no_export_is_refused(place: Place, run: Run, content: str) -> None:
    file = place.directory / "export.json"
    file.write_text(content)
    assert "expected " in run("state", "import", str(file), "--reason", "x").one_line
    assert run("state", "info", "--json").json["services"] == []


def test_export_that_was_cut_in_two_is_refused_and_nothing_is_half_done(place: Place, run: Run) -> None:
    filled(place)
    document = run("state", "export").json
    document["events"][7] = {"recorded_at": document["events"][7]["recorded_at"]}
    file = place.directory / "export.json"
    file.write_text(json.dumps(document))
    assert "expected a whole export" in run("state", "import", str(file), "--reason", "x", "--state", new(place)).one_line


def test_target_that_is_not_empty_is_left_alone(place: Place, run: Run) -> None:
    before = filled(place)
    file = place.directory / "export.json"
    assert run("state", "export", "--output", str(file)).code == 0
    assert "found 2 documents and 30 events" in run("state", "import", str(file), "--reason", "x").one_line
    assert whole(place.url).same_content(before)


# Retention.


def test_prune_deletes_what_is_older_than_asked_for(place: Place, run: Run) -> None:
    past = datetime.now(timezone.utc) - 100 * DAY
    old = SqliteStore(str(place.path), clock=lambda: past)
    old.transact([], lambda _snapshot: Change(events=EVENTS[:3]))
    old.close()
    filled(place)
    assert run("state", "prune").out.startswith("deleted 0 events recorded before ")
    assert run("state", "prune", "--older-than", "101d", "--json").json["events"] == 0
    assert run("state", "prune", "--older-than", "90d", "--json").json["events"] == 3
    assert len(whole(place.url).events) == 30
    assert "expected a duration" in run("state", "prune", "--older-than", "90").one_line
