# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal state` between stores of both kinds: nothing is lost on the way, and never are two live stores of one identity."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.portable import Whole
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change, Document, Store
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store_errors import StateRetired
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.events import Event
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.state import Environment, Service, Session, to_json
from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli import transfer
from ansible_collections.selfheal.recovery.tests.unit.plugins.plugin_utils.shell import Run, place, run

from .server import PASSWORD, Server

__all__ = ["place", "run"]

pytestmark = pytest.mark.postgresql

New = Callable[[str], str]
KINDS = ("sqlite", "postgresql")
_numbers = count(1)


@pytest.fixture
def new(server: Server, tmp_path: Path) -> New:
    """Makes the URL of a new place of a kind."""

    def url(kind: str) -> str:
        number = next(_numbers)
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/place{number}/state.db"
        server.sql(f"CREATE DATABASE place{number} TEMPLATE template0")
        return server.url(f"place{number}")

    return url


def filled(url: str, session: Session | None = None) -> Whole:
    """A state with two environments and 250 events; everything in it."""
    store = open_store(url)
    documents = {
        "production": to_json(Environment(adopts=("0" * 32,))),
        "production/web": to_json(Service(fence=41, session=session)),
        "Ümläut/☃": to_json(Service(fence=2)),
    }
    store.transact(list(documents), lambda _snapshot: Change(documents))
    for start in range(0, 250, 50):
        record(store, [happened("production/web", number, reason=f"ümläut \x00 {number}") for number in range(start, start + 50)])
    whole = store.whole()
    store.close()
    return whole


def happened(scope: str, number: int, reason: str = "") -> Event:
    return Event("2026-01-02T03:04:05.678Z", scope, "recovery", "increment", reason, failure_count=number)


def record(store: Store, events: list[Event], **documents: Document) -> None:
    store.transact(list(documents), lambda _snapshot: Change(documents, events))


def whole_of(url: str) -> Whole:
    store = open_store(url)
    try:
        return store.whole()
    finally:
        store.close()


def is_live(url: str) -> bool:
    store = open_store(url)
    try:
        return bool(store.scopes()) and bool(store.store_id())
    except StateRetired:
        return False
    finally:
        store.close()


@pytest.mark.parametrize("origin", KINDS)
@pytest.mark.parametrize("goal", KINDS)
def test_move_loses_nothing_keeps_the_identity_and_retires_the_source(run: Run, new: New, origin: str, goal: str) -> None:
    source, target = new(origin), new(goal)
    before = filled(source)

    said = run("state", "import", source, "--state", target)

    assert said.code == 0, said.err
    assert said.out == f"moved to {_shown(target)}: 3 documents and 250 events, as store {before.store_id}. Its former place refuses from now on\n"
    after = whole_of(target)
    assert after.same_content(before)
    assert after.store_id == before.store_id
    assert after.now >= before.now
    for argv in (
        ("breaker", "status", "--scope", "production/web"),
        ("state", "info"),
        ("state", "export"),
        ("breaker", "threshold", "4", "--scope", "production/web"),
    ):
        line = run(*argv, "--state", source).one_line
        assert f"moved it to {_shown(target)} at 20" in line
        assert PASSWORD not in line


@pytest.mark.parametrize("origin", KINDS)
@pytest.mark.parametrize("goal", KINDS)
def test_move_back_again_loses_nothing(run: Run, new: New, origin: str, goal: str) -> None:
    first, second, third = new(origin), new(goal), new(origin)
    before = filled(first)
    assert run("state", "import", first, "--state", second).code == 0
    assert run("state", "import", second, "--state", third).code == 0
    assert whole_of(third).same_content(before)
    assert [is_live(url) for url in (first, second, third)] == [False, False, True]


def test_moved_state_goes_on_where_it_was(run: Run, new: New) -> None:
    source, target = new("sqlite"), new("postgresql")
    filled(source)
    assert run("state", "import", source, "--state", target).code == 0
    assert run("breaker", "open", "--reason", "after the move", "--scope", "production/web", "--state", target).code == 0
    last = whole_of(target).events[-1]
    assert last.body["reason"] == "after the move"
    assert last.recorded_at >= whole_of(target).events[-2].recorded_at


@pytest.mark.parametrize("goal", KINDS)
def test_target_that_is_not_empty_is_refused_and_nothing_changes(run: Run, new: New, goal: str) -> None:
    source, target = new("sqlite"), new(goal)
    mine, theirs = filled(source), filled(target)
    line = run("state", "import", source, "--state", target).one_line
    assert "expected an empty store to import into, found 3 documents and 250 events" in line
    assert (whole_of(source).store_id, whole_of(target).store_id) == (mine.store_id, theirs.store_id)


@pytest.mark.parametrize("origin", KINDS)
def test_session_in_flight_is_named_and_nothing_is_moved(run: Run, new: New, origin: str) -> None:
    source, target = new(origin), new("sqlite")
    session = Session(
        "recovery-20260101T000000Z-00000000",
        7,
        "cron@control",
        "schedule",
        "2026-01-01T00:00:00.000Z",
        "2999-01-01T00:00:00.000Z",
        "2999-01-01T01:00:00.000Z",
        600,
    )
    before = filled(source, session)
    line = run("state", "import", source, "--state", target).one_line
    assert "found recovery-20260101T000000Z-00000000 of cron@control on production/web with a lease until 2999-01-01T00:00:00.000Z" in line
    assert "--wait 15m" in line
    assert whole_of(source).store_id == before.store_id
    assert whole_of(target).documents == {}
    assert "found recovery-20260101T000000Z-00000000" in run("state", "import", source, "--state", target, "--wait", "1s").one_line


def test_move_waits_for_the_session_in_flight(run: Run, new: New) -> None:
    source, target = new("sqlite"), new("postgresql")
    soon = "2026-01-01T00:00:00.000Z"
    filled(source, Session("recovery-20260101T000000Z-00000000", 7, "cron@control", "schedule", soon, "2999-01-01T00:00:00.000Z", soon, 600))
    polls: list[int] = []
    original = transfer._require_idle

    def ends(whole: Whole) -> None:
        polls.append(1)
        original(dataclasses.replace(whole, documents={}) if len(polls) > 1 else whole)

    transfer._require_idle = ends
    try:
        assert run("state", "import", source, "--state", target, "--wait", "1m").code == 0
    finally:
        transfer._require_idle = original
    assert len(polls) == 2
    assert is_live(target)


class Cut(BaseException):
    """Stands for a kill."""


@pytest.mark.parametrize("origin", KINDS)
@pytest.mark.parametrize("goal", KINDS)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_move_cut_short_leaves_at_most_one_usable_store_and_is_finished_by_the_same_command(
    run: Run, new: New, monkeypatch: pytest.MonkeyPatch, origin: str, goal: str, moment: str
) -> None:
    """Cut before the old store retires, and between that and the beginning of the new one."""
    source, target, another = new(origin), new(goal), new(goal)
    before = filled(source)
    store = open_store(source)
    original = type(store).retire

    def cut(self, why, function):  # type: ignore[no-untyped-def]
        if moment == "before":
            original(self, why, lambda whole: _cut(function, whole))
        original(self, why, function)
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "retire", cut)
        with pytest.raises(Cut):
            transfer.transfer(source, transfer.Place(open_store(target), "target"), "me", "", 0)
    assert [is_live(source), is_live(target)] == [moment == "before", False]

    if moment == "after":
        line = run("state", "import", source, "--state", another).one_line
        assert "moved it to target" in line
        assert "repeat it" in line
        assert not is_live(another)

    said = run("state", "import", source, "--state", target)
    assert said.code == 0, said.err
    assert whole_of(target).same_content(before)
    assert [is_live(source), is_live(target)] == [False, True]
    again = run("state", "import", source, "--state", target)
    assert (again.code, again.out) == (0, said.out)


def _cut(function: Callable[[Whole], None], whole: Whole) -> None:
    function(whole)
    raise Cut


def test_two_moves_at_once_end_in_one_live_store(new: New) -> None:
    source, targets = new("postgresql"), [new("postgresql"), new("sqlite")]
    filled(source)
    failures: list[Exception] = []

    def move(target: str) -> None:
        try:
            transfer.transfer(source, transfer.Place(open_store(target), target), "me", "", 0)
        except StateRetired as error:
            failures.append(error)

    threads = [threading.Thread(target=move, args=(target,)) for target in targets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == 1
    assert sorted(is_live(url) for url in (source, *targets)) == [False, False, True]


@pytest.mark.parametrize("origin", KINDS)
@pytest.mark.parametrize("goal", KINDS)
def test_backup_is_no_store_and_comes_back_as_a_new_one_that_hosts_follow(run: Run, new: New, tmp_path: Path, origin: str, goal: str) -> None:
    source, target, file = new(origin), new(goal), tmp_path / "backup"
    before = filled(source)
    assert run("state", "backup", str(file), "--state", source).code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert "found that" in run("state", "backup", str(file), "--state", source).one_line
    if origin == "sqlite":
        assert "found a backup that was made at" in run("state", "info", "--state", f"sqlite:///{file}").one_line

    assert "reason" in run("state", "import", str(file), "--state", target).one_line.lower()
    said = run("state", "import", str(file), "--state", target, "--reason", "the disk died", "--json")

    assert said.code == 0, said.err
    after = whole_of(target)
    assert said.json == {"moved": False, "store_id": after.store_id, "former_store_id": before.store_id, "documents": 4, "events": 252}
    assert after.store_id != before.store_id
    assert after.documents["production"]["adopts"] == ["0" * 32, before.store_id]
    assert after.documents["Ümläut"]["adopts"] == [before.store_id]
    assert {scope: document for scope, document in after.documents.items() if "/" in scope} == {s: d for s, d in before.documents.items() if "/" in s}
    assert list(after.events[:250]) == list(before.events)
    assert {(each.body["action"], each.body["reason"]) for each in after.events[250:]} == {("adopted", "the disk died")}
    assert is_live(source)


@pytest.mark.parametrize("origin", KINDS)
def test_export_is_one_document_that_can_be_imported(run: Run, new: New, tmp_path: Path, origin: str) -> None:
    source = new(origin)
    before = filled(source)
    printed = run("state", "export", "--state", source)
    assert Whole.from_json(printed.json).same_content(before)
    assert set(printed.json) == {"format", "version", "store_id", "time", "documents", "events"}
    file = tmp_path / "export.json"
    assert run("state", "export", "--output", str(file), "--state", source).code == 0
    assert Whole.from_json(json.loads(file.read_text())).same_content(before)
    assert run("state", "import", str(file), "--state", new("postgresql"), "--reason", "a copy to look at").code == 0


def test_export_is_as_of_one_moment(new: New) -> None:
    source = new("postgresql")
    store, reader = open_store(source), open_store(source)
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            record(store, [happened("env/web", number)], web={"count": number})

    record(store, [], web={"count": 0})
    thread = threading.Thread(target=write)
    thread.start()
    wholes = [reader.whole() for _dummy in range(20)]
    done.set()
    thread.join()
    assert [whole.documents["web"]["count"] for whole in wholes] == [len(whole.events) for whole in wholes]
    assert len({len(whole.events) for whole in wholes}) > 1
    store.close()
    reader.close()


def test_init_says_which_store_it_is_and_makes_it_once(run: Run, new: New) -> None:
    url = new("postgresql")
    first = run("state", "init", "--state", url)
    second = run("state", "init", "--state", url, "--json")
    store_id = run("state", "info", "--json", "--state", url).json["store_id"]
    assert first.out == f"made: store {store_id} in {_shown(url)}\n"
    assert "GRANT USAGE ON SCHEMA selfheal TO ROLE" in first.err
    assert second.json == {"store_id": store_id, "url": _shown(url), "created": False}
    assert PASSWORD not in first.out + first.err + second.out + second.err


def test_info_of_postgresql_shows_its_schema_and_warns_of_clocks_that_are_apart(run: Run, new: New, server: Server) -> None:
    url = new("postgresql")
    filled(url)
    info = run("state", "info", "--json", "--state", url)
    assert (info.json["schema"], info.json["services"]) == (1, ["production/web", "Ümläut/☃"])
    assert info.err == ""
    server.sql("UPDATE selfheal.meta SET written_at = '2999-01-01'", url.rpartition("/")[2])
    assert "s ahead of this machine's clock" in run("state", "info", "--state", url).err


def _shown(url: str) -> str:
    return url.replace(f"admin:{PASSWORD}@", "***@") if url.startswith("postgresql") else url
