# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind ``storage`` on real directories and real SQLite files: what it finds, and that it leaves no trace."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters import helper, sqlite_check
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.clock import SystemClock
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.deadline import Deadline
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes import storage
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Unmeasured
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.memory import Memory
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.sqlite_check import Seen, due
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.probing import measure
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import container

ROWS = 2000
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be kept from writing by a mount of its own")


def database(path, journal="delete"):
    """A database of some pages, left closed."""
    connection = sqlite3.connect(str(path))
    connection.execute(f"PRAGMA journal_mode = {journal}")
    connection.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
    connection.executemany("INSERT INTO notes (text) VALUES (?)", [(f"note {number} " + "x" * 50,) for number in range(ROWS)])
    connection.commit()
    connection.close()
    return path


def damage(path):
    """Overwrite pages in the middle, as a broken disk does."""
    with open(path, "r+b") as stream:
        stream.seek(3 * 4096)
        stream.write(b"\xff" * 4096 * 4)


def probe(path, directory=None, **options):
    memory = {"memory": Memory(directory / "guard" / "probes", "probe", writes=True)} if directory else {}
    return measure(kind="storage", path=str(path), clock=SystemClock(), **memory, **options)


def listing(directory):
    return {name: (os.stat(directory / name).st_size, os.stat(directory / name).st_mtime_ns) for name in sorted(os.listdir(directory))}


@pytest.fixture
def store(tmp_path):
    place = tmp_path / "store"
    place.mkdir()
    (place / "note.txt").write_text("x" * 5000)
    return place


class TestPlace:
    def test_storage_healthy_when_it_is_there_and_writable(self, store):
        result = probe(store)
        assert (result.status, result.metrics["files"], result.metrics["writable"]) == ("healthy", 1, True)
        assert os.listdir(store) == ["note.txt"]

    def test_single_file_is_a_store_too(self, store):
        assert probe(store / "note.txt").status == "healthy"

    @pytest.mark.parametrize("path", ["missing", "note.txt/below"])
    def test_storage_failed_when_the_path_is_missing(self, store, path):
        result = probe(store / path)
        assert (result.status, "does not exist" in result.message, result.remedy) == ("failed", True, "")

    def test_something_else_than_files_is_failed(self):
        assert (probe("/dev/null").status, probe("/dev/null").remedy) == ("failed", "report")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_storage_failed_when_it_is_not_writable(self, store):
        store.chmod(0o500)
        result = probe(store)
        assert (result.status, "not writable" in result.message) == ("failed", True)
        assert probe(store, writable=False).status == "healthy"

    def test_storage_soft_when_it_is_too_big(self, store):
        (store / "big").write_bytes(b"x" * (2 * 2**20))
        result = probe(store, soft_mib=1)
        assert (result.status, result.remedy, "2 MiB (more than 1)" in result.message) == ("soft", "report", True)

    def test_links_and_second_names_are_not_counted(self, store, tmp_path):
        (tmp_path / "outside").write_bytes(b"x" * (2 * 2**20))
        (store / "link").symlink_to(tmp_path)
        big = store / "inside"
        big.write_bytes(b"x" * 2**20)
        os.link(big, store / "second")
        assert 1.0 <= probe(store).metrics["mib"] < 1.1

    def test_storage_unmeasured_when_its_file_system_hangs(self, store, monkeypatch):
        monkeypatch.setattr(storage.files_look, "__name__", f"{__name__}_that_is_missing")
        monkeypatch.setattr(helper, "_BOOT", "import time; time.sleep(60)")
        began = time.monotonic()
        with pytest.raises(Unmeasured, match="its file system hangs"):
            probe(store, deadline=0.7)
        assert time.monotonic() - began < 2

    def test_helper_that_breaks_says_why(self, store, monkeypatch):
        monkeypatch.setattr(helper, "_BOOT", "raise SystemExit('no such luck')")
        with pytest.raises(helper.HelperFailed, match="no such luck"):
            probe(store)

    @pytest.mark.parametrize(
        "options", [{"path": "storage"}, {"path": "/x", "soft_mib": 0}, {"path": "/x", "sqlite": ["a/b"]}, {"path": "/x", "sqlite_seconds": 0}]
    )
    def test_options_that_cannot_be_meant(self, options):
        with pytest.raises(BadInput):
            measure(kind="storage", **options)


class TestDatabase:
    @pytest.mark.parametrize("journal", ["delete", "wal"])
    def test_storage_healthy_when_its_sqlite_file_is_in_order(self, store, tmp_path, journal):
        database(store / "notes.db", journal)
        before = listing(store)
        result = probe(store, tmp_path)
        assert (result.status, "its SQLite file is in order" in result.message, result.metrics["databases"]) == ("healthy", True, 1)
        assert listing(store) == before

    @pytest.mark.parametrize("journal", ["delete", "wal"])
    def test_storage_failed_when_the_sqlite_file_is_corrupt(self, store, tmp_path, journal):
        damage(database(store / "notes.db", journal))
        before = listing(store)
        result = probe(store, tmp_path)
        assert (result.status, result.remedy, "the SQLite file is damaged: notes.db" in result.message) == ("failed", "report", True)
        assert listing(store) == before

    def test_damaged_head_is_noticed_of_a_file_known_as_a_database(self, store, tmp_path):
        path = database(store / "notes.db")
        assert probe(store, tmp_path).status == "healthy"
        path.write_bytes(b"\0" * 4096 + path.read_bytes()[4096:])
        assert probe(store, tmp_path).status == "healthy"  # the answer stands for an hour
        entry = Memory(tmp_path / "guard" / "probes", "probe").load()["databases"]["notes.db"]
        Memory(tmp_path / "guard" / "probes", "probe").save({"databases": {"notes.db": {**entry, "at": 0}}})
        assert "first bytes" in probe(store, tmp_path).message

    @pytest.mark.parametrize("name", ["notes.txt", "other.db"])
    def test_files_that_are_no_databases_are_left_alone(self, store, tmp_path, name):
        (store / name).write_bytes(b"something else" * 1000)
        assert probe(store, tmp_path).metrics["databases"] == 0

    def test_more_databases_than_are_looked_into_are_told(self, store, tmp_path):
        content = database(store / "notes.db").read_bytes()
        for number in range(20):
            (store / f"more{number}.db").write_bytes(content)
        result = probe(store, tmp_path)
        assert (result.status, result.metrics["databases"], "narrow sqlite down" in result.message) == ("unmeasured", 20, True)
        (store / "more0.db").unlink()
        assert probe(store, tmp_path).status == "healthy"

    def test_names_decide_what_is_looked_into(self, store, tmp_path):
        damage(database(store / "notes.data"))
        assert probe(store, tmp_path).status == "healthy"
        assert probe(store, tmp_path, sqlite=["*.data"]).status == "failed"
        assert probe(store, tmp_path, sqlite=[]).status == "healthy"

    def test_answer_is_remembered_for_an_hour_and_says_how_old_it_is(self, store, tmp_path):
        database(store / "notes.db")
        probe(store, tmp_path)
        damage(store / "notes.db")
        assert probe(store, tmp_path).status == "healthy"
        memory = Memory(tmp_path / "guard" / "probes", "probe")
        entry = memory.load()["databases"]["notes.db"]
        memory.save({"databases": {"notes.db": {**entry, "at": entry["at"] - 1000}}})
        assert 1000 <= probe(store, tmp_path).metrics["sqlite_age_s"] < 1100
        memory.save({"databases": {"notes.db": {**entry, "at": entry["at"] - 3601}}})
        assert probe(store, tmp_path).status == "failed"

    def test_remembered_failure_is_looked_at_again_when_the_file_changed(self, store, tmp_path):
        damage(database(store / "notes.db"))
        assert probe(store, tmp_path).status == "failed"
        assert probe(store, tmp_path).status == "failed"
        (store / "notes.db").unlink()
        database(store / "notes.db")
        assert probe(store, tmp_path).status == "healthy"

    def test_memory_is_the_owners_alone(self, store, tmp_path):
        database(store / "notes.db")
        probe(store, tmp_path)
        for path in (tmp_path / "guard" / "probes", *(tmp_path / "guard" / "probes").iterdir()):
            assert path.stat().st_mode & 0o077 == 0
        damage(store / "notes.db")
        (tmp_path / "guard" / "probes").chmod(0o777)
        assert probe(store, tmp_path).status == "failed"  # what others could have written is not believed

    def test_storage_unmeasured_when_the_service_holds_a_lock(self, store, tmp_path):
        holder = sqlite3.connect(str(database(store / "notes.db")), isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        result = probe(store, tmp_path)
        holder.close()
        assert (result.status, "database is locked" in result.message) == ("unmeasured", True)
        assert probe(store, tmp_path).status == "healthy"  # asked again at the next occasion

    def test_storage_unmeasured_when_a_check_takes_too_long(self, store, tmp_path):
        path = database(store / "notes.db")
        connection = sqlite3.connect(str(path))
        connection.execute("INSERT INTO notes (text) SELECT zeroblob(60000) FROM notes LIMIT 2000")
        connection.commit()
        connection.close()
        result = probe(store, tmp_path, sqlite_seconds=0.01)
        assert (result.status, "not done within 0.0 s" in result.message) == ("unmeasured", True)
        assert probe(store, tmp_path).status == "unmeasured"  # and is not tried again every time
        assert probe(store).status == "healthy"

    def test_service_may_write_while_its_log_is_read(self, store, tmp_path):
        """A write-ahead log in use: nothing is left beside it, and the service's own connection goes on."""
        service = sqlite3.connect(str(database(store / "notes.db", "wal")), isolation_level=None)
        service.execute("INSERT INTO notes (text) VALUES ('in the log')")
        names = sorted(os.listdir(store))
        assert "notes.db-wal" in names
        result = probe(store, tmp_path)
        assert (result.status, sorted(os.listdir(store))) == ("healthy", names)
        service.execute("INSERT INTO notes (text) VALUES ('afterwards')")
        service.close()

    def test_writer_is_not_held_up_for_long(self, store, tmp_path):
        service = sqlite3.connect(str(database(store / "notes.db")), isolation_level=None, timeout=10, check_same_thread=False)
        longest, stop = [0.0], threading.Event()

        def write():
            while not stop.is_set():
                began = time.monotonic()
                service.execute("INSERT INTO notes (text) VALUES ('x')")
                longest[0] = max(longest[0], time.monotonic() - began)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            assert probe(store, tmp_path, sqlite_seconds=0.5).status in ("healthy", "unmeasured")
        finally:
            stop.set()
            writer.join()
        service.close()
        assert longest[0] < 2

    @as_root
    def test_half_done_transaction_is_not_rolled_back(self, store, tmp_path):
        path = database(store / "notes.db")
        script = (
            "import os, sqlite3, sys\n"
            "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "c.execute('PRAGMA cache_size = 2')\n"
            "c.execute('BEGIN')\n"
            "c.execute('UPDATE notes SET text = text || 1')\n"
            "os._exit(0)\n"
        )
        subprocess.run([sys.executable, "-c", script, str(path)], check=True)
        before = listing(store)
        assert "notes.db-journal" in before
        result = probe(store, tmp_path)
        assert (result.status, listing(store)) == ("unmeasured", before)

    @as_root
    def test_log_that_vanishes_before_it_is_read_is_not_made_anew(self, store, monkeypatch):
        """SQLite makes a missing log even for readers; one that belongs to root would lock the service out."""
        path = database(store / "notes.db", "wal")
        monkeypatch.setattr(sqlite_check.os.path, "exists", lambda _path: True)
        assert sqlite_check.check(str(path), Deadline(5))[0] == "unmeasured"
        assert sorted(os.listdir(store)) == ["note.txt", "notes.db"]

    def test_name_of_a_file_cannot_write_to_the_terminal(self, store, tmp_path):
        damage(database(store / "no\x1b[31mtes.db"))
        assert "\x1b" not in probe(store, tmp_path).message


class TestDue:
    SEEN = Seen(1, 2, 3, 4, None)

    @pytest.mark.parametrize(
        ("outcome", "age", "now", "expected"),
        [
            ("ok", 10, SEEN, False),
            ("ok", 3600, SEEN, True),
            ("ok", -5, SEEN, True),
            ("ok", 10, Seen(1, 2, 99, 99, (1, 1)), False),
            ("ok", 10, Seen(1, 99, 3, 4, None), True),
            ("corrupt", 10, SEEN, False),
            ("corrupt", 10, Seen(1, 2, 3, 5, None), True),
            ("slow", 10, Seen(1, 2, 3, 5, None), False),
        ],
    )
    def test_when_a_file_is_looked_into_again(self, outcome, age, now, expected):
        remembered = {"outcome": outcome, "at": 10000 - age, "seen": self.SEEN.to_json()}
        assert due(remembered, now, 10000, 3600) is expected

    def test_nothing_remembered_is_due(self):
        assert due({}, self.SEEN, 10000, 3600)


class TestInContainer:
    def test_storage_failed_when_its_container_does_not_run(self):
        result = measure(kind="storage", path="/data", in_container=True, inspect=container(state="exited"))
        assert (result.status, "it is exited" in result.message) == ("failed", True)

    def test_storage_unmeasured_when_the_process_is_none_of_the_containers(self):
        """The number of a process that ended may be another's by now."""
        inspect = container()
        inspect["State"]["Pid"] = os.getpid()
        with pytest.raises(Unmeasured, match=r"none of the container's|not permitted|permission denied"):
            measure(kind="storage", path="/data", in_container=True, inspect=inspect)

    def test_engine_without_a_process_number_is_unmeasured(self):
        with pytest.raises(Unmeasured, match="does not say which process"):
            measure(kind="storage", path="/data", in_container=True, inspect=container())
