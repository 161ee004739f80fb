# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters import sqlite, sqlite_place, sqlite_schema
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.sqlite import SqliteStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.sqlite_errors import from_sqlite
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change, StateError
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store_errors import (
    StateBusy,
    StateCorrupt,
    StateDenied,
    StateForeign,
    StateFull,
    StateLost,
    StateMisplaced,
    StateNewer,
)
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.store_conformance import (
    ALL,
    WEB,
    StoreConformance,
    count_of,
    event,
    incremented,
    put,
    start,
)

CRASH_WORKER = Path(__file__).with_name("sqlite_crash_worker.py")
NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24
EVERY_CALL = (
    lambda store: store.store_id(),
    lambda store: store.read([WEB]),
    lambda store: store.transact([WEB], incremented),
    lambda store: store.scopes(),
    lambda store: store.events(),
)


class TestSqliteStore(StoreConformance):
    @pytest.fixture
    def url(self, tmp_path):
        return f"sqlite:///{tmp_path}/own/state.db"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "own" / "state.db"


@pytest.fixture
def kept(path):
    """A state worth keeping: one document, one event, nobody using it."""
    store = SqliteStore(str(path))
    put(store, {WEB: {"count": 1}}, [event()])
    store.close()
    return path


class Clock:
    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        return self.now


def edit(path, *statements):
    """Change a database behind the store's back."""
    connection = sqlite3.connect(str(path), isolation_level=None)
    for statement in statements:
        connection.execute(statement)
    connection.close()


def contents(directory):
    """Every file below ``directory`` with its bytes, but SQLite's shared memory and an empty log, which reading may add."""
    files = [file for file in sorted(directory.rglob("*")) if file.is_file() and not file.name.endswith("-shm")]
    return {file.name: file.read_bytes() for file in files if file.stat().st_size or not file.name.endswith("-wal")}


def assert_refused(path, error, match, calls=EVERY_CALL, deadline=10.0):
    """Each of ``calls`` fails with ``error``, says what to do, and leaves every byte as it was."""
    before = contents(path.parent)
    for call in calls:
        store = SqliteStore(str(path), deadline=deadline)
        with pytest.raises(error, match=match) as caught:
            call(store)
        store.close()
        assert caught.type is error
        assert caught.value.reason == "state_unreadable"
        assert caught.value.message.startswith("expected ")
        assert "found" in caught.value.message
        assert caught.value.advice
        assert contents(path.parent) == before


# Coming into being.


def test_nothing_is_touched_before_the_first_use(path):
    SqliteStore(str(path)).close()
    assert not path.parent.exists()


def test_importing_the_store_does_not_import_sqlite3(path):
    code = f"import sys; sys.path[:] = {sys.path!r}; import {sqlite.__name__} as m; m.SqliteStore('x'); assert 'sqlite3' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_new_state_is_private(path):
    store = SqliteStore(str(path))
    put(store, {WEB: {}})
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(file.name for file in path.parent.iterdir()) == ["state.db", "state.db-shm", "state.db-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
    store.close()
    assert [file.name for file in path.parent.iterdir()] == ["state.db"]


def test_missing_directories_above_are_made_private_too(tmp_path):
    put(SqliteStore(str(tmp_path / "a" / "b" / "state.db")), {WEB: {}})
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")} == {0o700}


def test_existing_directory_keeps_its_mode(tmp_path):
    (tmp_path / "mine").mkdir(mode=0o755)
    put(SqliteStore(str(tmp_path / "mine" / "state.db")), {WEB: {}})
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o755


def test_relative_path_stays_where_it_was_meant(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("own/state.db")
    monkeypatch.chdir("/")
    put(store, {WEB: {}})
    assert (tmp_path / "own" / "state.db").exists()


@pytest.mark.parametrize("name", ["with space.db", "a?b#c%41&d=e.db", "Ümläut ☃.db", "'quoted\".db"])
def test_any_name_of_a_file_will_do(tmp_path, name):
    put(SqliteStore(str(tmp_path / name)), {WEB: {}})
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["", "a\0b"])
def test_what_is_no_path_is_refused(name):
    with pytest.raises(BadInput, match="expected the path"):
        SqliteStore(name)


def test_link_is_followed_even_before_its_target_exists(tmp_path):
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "own" / "state.db")
    put(SqliteStore(str(link)), {WEB: {"count": 5}})
    assert link.is_symlink()
    assert count_of(SqliteStore(str(tmp_path / "own" / "state.db"))) == 5


def test_left_over_of_a_killed_creation_is_replaced(path):
    path.parent.mkdir(mode=0o700)
    (path.parent / ".state.db.new").write_bytes(b"half")
    (path.parent / ".state.db.new-journal").write_bytes(b"half")
    put(SqliteStore(str(path)), {WEB: {}})
    assert not list(path.parent.glob(".*"))


def test_writes_are_durable_and_readers_are_not_blocked(kept):
    store = SqliteStore(str(kept))
    put(store, {WEB: {}})
    connection = store._connection
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def test_function_runs_once_because_the_lock_comes_first(kept):
    store, other = SqliteStore(str(kept)), SqliteStore(str(kept))
    interloper = threading.Thread(target=other.transact, args=([WEB], incremented))
    calls = []

    def slow(snapshot):
        calls.append(snapshot)
        if len(calls) == 1:
            interloper.start()
            interloper.join(0.2)
        return incremented(snapshot)

    assert store.transact([WEB], slow) == 2
    interloper.join()
    assert len(calls) == 1
    assert count_of(store) == 3


def test_reading_leaves_what_a_killed_writer_left(kept):
    writer = SqliteStore(str(kept))
    put(writer, {WEB: {"count": 2}})
    crashed = kept.parent.parent / "crashed"
    shutil.copytree(kept.parent, crashed)
    writer.close()
    before = contents(crashed)
    assert "state.db-wal" in before
    reader = SqliteStore(str(crashed / "state.db"))
    assert count_of(reader) == 2
    reader.close()
    assert contents(crashed) == before


def test_equal_documents_are_equal_bytes(kept):
    bodies = set()
    for document in ({"b": 1, "a": {"d": "é", "c": None}}, {"a": {"c": None, "d": "é"}, "b": 1}):
        put(SqliteStore(str(kept)), {WEB: document})
        connection = sqlite3.connect(str(kept))
        bodies.add(connection.execute("SELECT body FROM documents").fetchone()[0])
        connection.close()
    assert bodies == {'{"a":{"c":null,"d":"\\u00e9"},"b":1}'}


def test_store_may_be_used_again_after_closing(kept):
    store = SqliteStore(str(kept))
    assert count_of(store) == 1
    store.close()
    assert store.transact([WEB], incremented) == 2


def test_child_of_a_fork_opens_its_own_connection(kept):
    store = SqliteStore(str(kept))
    put(store, {WEB: {"count": 1}})
    inherited = store._connection
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if store.transact([WEB], incremented) == 2 and store._connection is not inherited else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.transact([WEB], incremented) == 3
    store.close()


# Killed at any moment.


def test_killed_at_every_moment_leaves_a_state_that_agrees_with_itself(tmp_path):
    counts = []
    for moment in range(1, 200):
        path = tmp_path / str(moment) / "state.db"
        process = start(path, moment, worker=CRASH_WORKER)
        errors = process.communicate()[1]
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, errors
        store = SqliteStore(str(path))
        count = count_of(store)
        assert count == len(store.events(limit=ALL))
        identity = store.store_id()
        assert store.transact([WEB], incremented) == count + 1
        assert store.store_id() == identity
        store.close()
        assert [file.name for file in path.parent.iterdir()] == ["state.db"]
        counts.append(count)
    else:
        pytest.fail("the writer never came to its end")
    assert len(counts) > 30
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}


# Time.


def test_clock_that_was_set_back_stands_still(path):
    clock = Clock()
    store = SqliteStore(str(path), clock=clock)
    put(store, {WEB: {}}, [event()])
    clock.now = NOON - timedelta(hours=2)
    assert store.read([]).now == NOON
    assert store.transact([WEB], lambda snapshot: Change({WEB: {}}, answer=snapshot.now)) == NOON
    assert SqliteStore(str(path), clock=clock).read([]).now == NOON
    clock.now = NOON + timedelta(seconds=1)
    assert store.read([]).now == NOON + timedelta(seconds=1)


def test_time_is_in_whole_milliseconds_so_that_it_can_be_written(path):
    store = SqliteStore(str(path), clock=Clock(NOON.replace(microsecond=123_999)))
    assert store.read([]).now == NOON.replace(microsecond=123_000)


def test_reading_does_not_move_the_time(path):
    clock = Clock()
    store = SqliteStore(str(path), clock=clock)
    put(store, {WEB: {}})
    clock.now = NOON + timedelta(hours=2)
    assert store.read([WEB]).now == NOON + timedelta(hours=2)
    clock.now = NOON + timedelta(hours=1)
    assert store.read([WEB]).now == NOON + timedelta(hours=1)


# Retention.


def test_events_are_kept_for_400_days(path):
    clock = Clock()
    store = SqliteStore(str(path), clock=clock)
    put(store, {WEB: {}}, [event(action="old")])
    clock.now = NOON + timedelta(days=400)
    put(store, {WEB: {}}, [event(action="young")])
    assert [found.action for found in store.events()] == ["old", "young"]
    clock.now += timedelta(seconds=1)
    put(store, {WEB: {}}, [event(action="new")])
    assert [found.action for found in store.events()] == ["young", "new"]


def test_old_events_are_dropped_a_hundred_at_a_time(path):
    clock = Clock()
    store = SqliteStore(str(path), clock=clock)
    put(store, {WEB: {}}, [event()] * 250)
    clock.now = NOON + timedelta(days=500)
    left = [len(store.events(limit=ALL)) for _dummy in range(4) if put(store, {WEB: {}}, [event()]) is None]
    assert left == [151, 52, 3, 4]


def test_numbers_of_events_are_never_used_again(path):
    clock = Clock()
    store = SqliteStore(str(path), clock=clock)
    put(store, {WEB: {}}, [event()])
    edit(path, "DELETE FROM events")
    put(store, {WEB: {}}, [event()])
    connection = sqlite3.connect(str(path))
    assert connection.execute("SELECT number FROM events").fetchall() == [(2,)]
    connection.close()


# Schema.


def version_of(path):
    connection = sqlite3.connect(str(path))
    found = connection.execute("SELECT value FROM meta WHERE name = 'schema_version'").fetchone()
    connection.close()
    return found[0]


def a_later_release(monkeypatch, *statements):
    monkeypatch.setattr(sqlite_schema, "STEPS", (*sqlite_schema.STEPS, statements))


@pytest.mark.parametrize("call", EVERY_CALL)
def test_older_schema_is_brought_forward_by_the_first_use(kept, monkeypatch, call):
    identity = SqliteStore(str(kept)).store_id()
    a_later_release(monkeypatch, "ALTER TABLE documents ADD COLUMN note TEXT")
    a_later_release(monkeypatch, "CREATE TABLE more (x)", "UPDATE documents SET note = 'migrated'")
    store = SqliteStore(str(kept))
    call(store)
    assert version_of(kept) == "3"
    assert count_of(store) in (1, 2)
    assert store.store_id() == identity
    assert store.events(limit=1)[0].scope == WEB


def test_migration_that_fails_changes_nothing(kept, monkeypatch):
    with monkeypatch.context() as patched:
        a_later_release(patched, "CREATE TABLE more (x)")
        a_later_release(patched, "DELETE FROM documents", "NONSENSE")
        with pytest.raises(StateError, match="syntax error"):
            SqliteStore(str(kept)).read([WEB])
    assert version_of(kept) == "1"
    assert count_of(SqliteStore(str(kept))) == 1


def test_migration_runs_once_whoever_asks(kept, monkeypatch):
    a_later_release(monkeypatch, "CREATE TABLE more (x)")
    failures = []

    def use():
        try:
            SqliteStore(str(kept)).transact([WEB], incremented)
        except StateError as error:
            failures.append(error)

    threads = [threading.Thread(target=use) for _dummy in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count_of(SqliteStore(str(kept))) == 9


def test_migration_that_another_process_finished_first_is_not_run_again(kept, monkeypatch):
    a_later_release(monkeypatch, "CREATE TABLE more (x)")
    faster = sqlite3.connect(str(kept), isolation_level=None, check_same_thread=False)
    faster.execute("BEGIN IMMEDIATE")
    connect = sqlite._connect

    def overtaken(path, mode):
        if mode == "rw" and faster.in_transaction:
            sqlite_schema.migrate(faster, path)
            faster.execute("COMMIT")
        return connect(path, mode)

    monkeypatch.setattr(sqlite, "_connect", overtaken)
    store = SqliteStore(str(kept))
    assert store.transact([WEB], incremented) == 2
    assert version_of(kept) == "2"
    store.close()
    faster.close()


def test_store_in_use_notices_that_the_schema_went_ahead(kept):
    store = SqliteStore(str(kept))
    assert store.transact([WEB], incremented) == 2
    edit(kept, "UPDATE meta SET value = '2' WHERE name = 'schema_version'")
    with pytest.raises(StateNewer):
        store.transact([WEB], incremented)
    store.close()


def test_newer_schema_is_refused(kept):
    edit(kept, "UPDATE meta SET value = '7' WHERE name = 'schema_version'", "DROP TABLE events")
    assert_refused(kept, StateNewer, r"schema 1 or older.*found schema 7")


# Bad places.


def test_directory_in_the_place_of_the_file_is_refused(path):
    path.mkdir(parents=True)
    assert_refused(path, StateMisplaced, "a directory")


def test_file_in_the_place_of_the_directory_is_refused(path):
    path.parent.write_bytes(b"mine")
    with pytest.raises(StateMisplaced, match="is none"):
        SqliteStore(str(path)).read([WEB])
    assert path.parent.read_bytes() == b"mine"


def test_something_that_is_no_file_is_refused(path):
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(StateMisplaced, match="no file"):
        SqliteStore(str(path)).read([WEB])


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o702])
def test_directory_that_anyone_can_write_is_refused(kept, mode):
    kept.parent.chmod(mode)
    assert_refused(kept, StateMisplaced, "anyone can write")


def test_directory_that_anyone_can_write_gets_no_state(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert_refused(tmp_path / "open" / "state.db", StateMisplaced, "anyone can write")


def test_file_that_anyone_can_write_is_refused(kept):
    kept.chmod(0o606)
    assert_refused(kept, StateMisplaced, "anyone can write")


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
def test_deleted_state_is_not_taken_for_a_fresh_one(kept, suffix):
    kept.unlink()
    Path(f"{kept}{suffix}").write_bytes(b"left over")
    assert_refused(kept, StateLost, f"state.db{suffix}, found it gone")
    assert not kept.exists()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs"])
def test_network_file_system_is_refused(tmp_path, monkeypatch, kind):
    mounts = tmp_path / "mounts"
    share = f"{tmp_path}/own".replace(" ", "\\040")
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/share {share} {kind} rw 0 0\n")
    monkeypatch.setattr(sqlite_place, "MOUNTS", str(mounts))
    (tmp_path / "own" / "below").mkdir(parents=True)
    assert_refused(tmp_path / "own" / "below" / "state.db", StateMisplaced, f"network file system .{kind}")
    SqliteStore(str(tmp_path / "owner" / "state.db")).store_id()


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ("", ""),
        ("/dev/a / ext4 rw 0 0", ""),
        ("server:/ / nfs rw 0 0", "nfs"),
        ("server:/ / nfs rw 0 0\n/dev/a /var/lib ext4 rw 0 0", ""),
        ("/dev/a / ext4 rw 0 0\nserver:/ /var nfs4 rw 0 0", "nfs4"),
        ("server:/ /var nfs4 rw 0 0\n/dev/a / ext4 rw 0 0", "nfs4"),
        ("/dev/a /var ext4 rw 0 0\nserver:/ /var nfs4 rw 0 0", "nfs4"),
        ("server:/ /var nfs4 rw 0 0\n/dev/a /var ext4 rw 0 0", ""),
        ("server:/ /va nfs4 rw 0 0\nserver:/ /var/lib/self nfs4 rw 0 0", ""),
        ("server:/ /var/lib/self\\040heal nfs4 rw 0 0", "nfs4"),
        ("nonsense\n\nserver:/ /var cifs", "cifs"),
    ],
)
def test_file_system_is_the_one_of_the_nearest_mount(mounts, expected):
    assert sqlite_place.network_filesystem("/var/lib/self heal", mounts) == expected


def test_machine_without_a_list_of_mounts_is_taken_as_local(path, monkeypatch):
    monkeypatch.setattr(sqlite_place, "MOUNTS", str(path.parent / "none"))
    SqliteStore(str(path)).store_id()


# Bad files.


def test_empty_file_is_refused(kept):
    kept.write_bytes(b"")
    assert_refused(kept, StateCorrupt, "empty file")


@pytest.mark.parametrize("missing", [1, 600, 4096, 4097, 0.5, 0.8])
def test_file_that_was_cut_off_is_refused(kept, missing):
    content = kept.read_bytes()
    kept.write_bytes(content[: -missing if missing >= 1 else int(len(content) * missing)])
    assert_refused(kept, StateCorrupt, "damaged")


def test_overwritten_file_is_refused(kept):
    content = kept.read_bytes()
    kept.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    assert_refused(kept, StateCorrupt, "damaged")


@pytest.mark.parametrize(
    "content", [b"x", b"some notes of mine\n" * 1000, b"SQLite format 3\0", bytes(range(256)) * 32], ids=["letter", "notes", "header", "bytes"]
)
def test_file_that_is_no_database_is_refused(path, content):
    path.parent.mkdir()
    path.write_bytes(content)
    assert_refused(path, StateForeign, "no SQLite database|something else")


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize("tables", [["t"], [], ["meta", "documents", "events"]])
def test_database_of_something_else_is_refused(path, mode, tables):
    path.parent.mkdir()
    edit(path, f"PRAGMA journal_mode = {mode}", "PRAGMA user_version = 3", *(f"CREATE TABLE {table} (name, value)" for table in tables))
    assert_refused(path, StateForeign, "something else")


def test_database_of_something_else_that_is_in_use_is_left_alone(path):
    path.parent.mkdir()
    theirs = sqlite3.connect(str(path), isolation_level=None)
    theirs.execute("PRAGMA journal_mode = WAL")
    theirs.execute("CREATE TABLE t (x)")
    crashed = path.parent.parent / "crashed"
    shutil.copytree(path.parent, crashed)
    assert_refused(path, StateForeign, "something else")
    theirs.close()
    assert (crashed / "state.db-wal").stat().st_size
    assert_refused(crashed / "state.db", StateForeign, "something else")


@pytest.mark.parametrize("table", ["meta", "documents", "events"])
def test_missing_table_is_refused(kept, table):
    edit(kept, f"DROP TABLE {table}")
    assert_refused(kept, StateCorrupt, f"found no {table}")


@pytest.mark.parametrize("name", ["schema_version", "store_id", "written_at"])
@pytest.mark.parametrize("value", ["'nonsense'", "''", "x'00ff'", None])
def test_damaged_description_is_refused(kept, name, value):
    change = f"UPDATE meta SET value = {value} WHERE name = '{name}'" if value else f"DELETE FROM meta WHERE name = '{name}'"
    edit(kept, change)
    assert_refused(kept, StateCorrupt, f"expected a valid {name}")


BAD_BODIES = {
    "unparsable": "'{\"count\":'",
    "too deep": f"'{'[' * 100_000}'",
    "empty": "''",
    "list": "'[1]'",
    "null": "'null'",
    "number": "7",
    "bytes": "x'7b7d'",
    "not UTF-8": "CAST(x'7b22ff227d' AS TEXT)",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_damaged_document_is_refused_and_the_others_are_not(kept, body):
    store = SqliteStore(str(kept))
    put(store, {"env/other": {"count": 4}})
    store.close()
    edit(kept, f"UPDATE documents SET body = {body} WHERE scope = '{WEB}'")
    touching = [
        lambda store: store.read([WEB]),
        lambda store: store.read(["env/other", WEB]),
        lambda store: store.transact([WEB], incremented),
        lambda store: store.transact([WEB], lambda snapshot: Change({WEB: {}})),
    ]
    assert_refused(kept, StateCorrupt, "7b7d|UTF-8|JSON object as the document of env/web", touching)
    store = SqliteStore(str(kept))
    assert count_of(store, "env/other") == 4
    assert len(store.events()) == 1
    store.close()


def test_damaged_document_is_never_quoted(kept):
    edit(kept, "UPDATE documents SET body = 'a secret'")
    with pytest.raises(StateCorrupt) as caught:
        SqliteStore(str(kept)).read([WEB])
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("body", [*BAD_BODIES.values(), '\'{"scope":"env/web"}\''])
def test_damaged_event_is_refused(kept, body):
    edit(kept, f"UPDATE events SET body = {body}")
    assert_refused(kept, StateCorrupt, "UTF-8|as the event 1", [lambda store: store.events(), lambda store: store.events(WEB)])
    assert count_of(SqliteStore(str(kept))) == 1


def test_scope_of_the_wrong_type_is_refused(kept):
    edit(kept, "UPDATE documents SET scope = x'00'")
    assert_refused(kept, StateCorrupt, "texts as scopes", [lambda store: store.scopes()])


# Rights, room and locks.


def without_rights(path, command):
    """What ``command`` prints, run by a user that file modes bind, as they do not bind root."""
    code = f"""
import sys; sys.path[:] = {sys.path!r}
from {sqlite.__name__} import SqliteStore
from {StateError.__module__} import Change, StateError
store = SqliteStore({str(path)!r}, deadline=2)
try:
    print({command})
except StateError as error:
    print(type(error).__name__, error)
"""

    def drop():
        libc = ctypes.CDLL(None)
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)

    command = [sys.executable, "-c", code]
    return subprocess.run(command, preexec_fn=drop if os.geteuid() == 0 else None, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


READ = "store.read(['env/web']).documents"
WRITE = "store.transact(['env/web'], lambda snapshot: Change({'env/web': {}}))"


def test_directory_that_may_not_be_written_gets_no_state(tmp_path):
    (tmp_path / "own").mkdir(mode=0o500)
    for command in (READ, WRITE):
        assert without_rights(tmp_path / "own" / "state.db", command).startswith("StateDenied expected to be allowed to use the state")
        assert without_rights(tmp_path / "own" / "deeper" / "state.db", command).startswith("StateDenied expected")
    assert list((tmp_path / "own").iterdir()) == []


def test_directory_that_may_not_be_entered_is_refused(kept):
    kept.parent.chmod(0o000)
    for command in (READ, WRITE):
        assert without_rights(kept, command).startswith("StateDenied")
    kept.parent.chmod(0o700)


def test_file_that_may_not_be_read_is_refused(kept):
    kept.chmod(0o000)
    for command in (READ, WRITE):
        assert without_rights(kept, command).startswith("StateDenied")


def test_user_who_may_only_read_reads_a_state_in_use(kept):
    writer = SqliteStore(str(kept))
    put(writer, {WEB: {"count": 2}})
    for file in kept.parent.iterdir():
        file.chmod(0o400)
    kept.parent.chmod(0o500)
    before = contents(kept.parent)
    assert without_rights(kept, READ) == "{'env/web': {'count': 2}}"
    assert without_rights(kept, WRITE).startswith("StateDenied")
    assert contents(kept.parent) == before
    kept.parent.chmod(0o700)
    writer.close()


def test_user_who_may_only_read_is_told_why_an_idle_state_cannot_be_read(kept):
    kept.chmod(0o400)
    kept.parent.chmod(0o500)
    before = contents(kept.parent)
    for command in (READ, WRITE):
        assert without_rights(kept, command).startswith("StateDenied")
    assert contents(kept.parent) == before


def test_file_that_may_only_be_read_in_a_directory_of_ones_own_is_read(kept):
    kept.chmod(0o400)
    assert without_rights(kept, READ) == "{'env/web': {'count': 1}}"
    assert without_rights(kept, WRITE).startswith("StateDenied")
    assert count_of(SqliteStore(str(kept))) == 1


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "none", str(disk)], check=False, capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill_up(disk):
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"\0" * 1024)
        except OSError:
            pass


def test_full_disk_loses_nothing(small_disk):
    path = small_disk / "state.db"
    store = SqliteStore(str(path))
    put(store, {WEB: {"count": 1}}, [event()])
    fill_up(small_disk)
    number = 1
    with pytest.raises(StateFull, match="found its disk full") as caught:  # noqa: PT012
        while True:
            put(store, {WEB: {"count": number + 1, "text": "x" * 20_000}}, [event()])
            number += 1
    assert "Free some space" in caught.value.advice
    assert count_of(store) == len(store.events(limit=ALL)) == number
    (small_disk / "ballast").unlink()
    assert store.transact([WEB], incremented) == number + 1
    store.close()


def test_state_is_not_created_on_a_full_disk_and_is_afterwards(small_disk):
    fill_up(small_disk)
    store = SqliteStore(str(small_disk / "state.db"))
    with pytest.raises(StateFull):
        store.read([WEB])
    (small_disk / "ballast").unlink()
    assert store.transact([WEB], incremented) == 1
    store.close()


def test_idle_state_on_a_full_disk_is_refused_or_read_but_never_empty(small_disk):
    store = SqliteStore(str(small_disk / "state.db"))
    put(store, {WEB: {"count": 1}})
    store.close()
    fill_up(small_disk)
    with pytest.raises(StateFull):
        store.read([WEB])


def test_writer_gives_up_at_its_deadline_and_readers_go_on(kept):
    holder = sqlite3.connect(str(kept), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    store = SqliteStore(str(kept), deadline=0.3)
    began = time.monotonic()
    with pytest.raises(StateBusy, match=r"within the deadline.*locked"):
        store.transact([WEB], incremented)
    assert 0.3 <= time.monotonic() - began < 5
    assert count_of(store) == 1
    holder.execute("ROLLBACK")
    assert store.transact([WEB], incremented) == 2
    holder.close()
    store.close()


def test_state_held_by_one_alone_is_refused_at_the_deadline(kept):
    holder = sqlite3.connect(str(kept), isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN IMMEDIATE")
    assert_refused(kept, StateBusy, "locked", deadline=0.1)
    holder.close()


def test_lock_that_is_given_back_in_time_is_waited_for(kept):
    holder = sqlite3.connect(str(kept), isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, holder.execute, ["ROLLBACK"])
    release.start()
    assert SqliteStore(str(kept)).transact([WEB], incremented) == 2
    release.join()
    holder.close()


def test_deadline_counts_for_threads_of_the_same_process_too(kept):
    store = SqliteStore(str(kept), deadline=0.2)
    inside, leave = threading.Event(), threading.Event()

    def slow(snapshot):
        inside.set()
        leave.wait(10)
        return Change()

    thread = threading.Thread(target=store.transact, args=([WEB], slow))
    thread.start()
    inside.wait(10)
    with pytest.raises(StateBusy, match="in use by this process"):
        store.read([WEB])
    leave.set()
    thread.join()
    assert count_of(store) == 1


def test_creation_waits_for_its_turn_until_the_deadline(path):
    import fcntl

    path.parent.mkdir()
    handle = os.open(str(path.parent), os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(StateBusy, match="directory locked"):
        SqliteStore(str(path), deadline=0.1).read([WEB])
    os.close(handle)
    SqliteStore(str(path), deadline=0.1).read([WEB])


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ("database is locked", StateBusy),
        ("database table is locked", StateBusy),
        ("locking protocol", StateBusy),
        ("attempt to write a readonly database", StateDenied),
        ("unable to open database file", StateDenied),
        ("database or disk is full", StateFull),
        ("disk I/O error", StateError),
        ("file is not a database", StateForeign),
        ("file is encrypted or is not a database", StateForeign),
        ("database disk image is malformed", StateCorrupt),
        ("malformed database schema (events)", StateCorrupt),
        ("no such table: events", StateCorrupt),
        ("something nobody thought of", StateError),
    ],
)
def test_every_failure_of_sqlite_has_its_class(message, error):
    failure = from_sqlite(sqlite3.DatabaseError(message), "/nowhere/state.db")
    assert failure.__class__ is error
    assert "/nowhere/state.db" in failure.message
    assert failure.advice
