# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The PostgreSQL store on a real server: the suite that every store passes, and what is its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters import postgresql_schema
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.postgresql import PostgresqlStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.store_conformance import WEB, StoreConformance, count_of, event, incremented, put
from tests.lab import wait

from .faults import trouble
from .server import Server

pytestmark = pytest.mark.postgresql


class TestPostgresqlStore(StoreConformance):
    @pytest.fixture
    def url(self, server: Server, database: str) -> str:
        return server.url(database)


@pytest.fixture
def store(url: str) -> PostgresqlStore:
    store = open_store(url)
    assert isinstance(store, PostgresqlStore)
    return store


def test_nothing_is_touched_before_the_first_use(server: Server, database: str, store: PostgresqlStore) -> None:
    assert server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'selfheal'", database) == [(0,)]
    assert store.present() is False
    assert server.sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'selfheal'", database) == [(0,)]
    store.store_id()
    assert store.present() is True
    store.close()


def test_both_names_of_the_kind_are_one_store(url: str, store: PostgresqlStore) -> None:
    other = open_store(url.replace("postgresql://", "postgresql+psycopg://"))
    assert other.store_id() == store.store_id()
    other.close()
    store.close()


def test_store_holds_one_connection_and_gives_it_back(server: Server, database: str, store: PostgresqlStore) -> None:
    connections = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'selfheal'"
    for _dummy in range(5):
        store.transact([WEB], incremented)
        store.events()
        assert server.sql(connections) == [(1,)]
    store.close()
    wait.until("the connection to be gone", lambda: server.sql(connections) == [(0,)], seconds=5)


def test_time_is_the_servers_and_never_before_the_last_write(server: Server, database: str, store: PostgresqlStore) -> None:
    before = datetime.now(UTC)
    now = store.read([]).now
    assert timedelta(milliseconds=-1) <= now - before < timedelta(seconds=5)
    assert now.microsecond % 1000 == 0
    ahead = datetime(2999, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    server.sql(f"UPDATE selfheal.meta SET written_at = '{ahead.isoformat()}'", database)
    assert store.read([]).now == ahead
    assert store.transact([WEB], lambda snapshot: Change({WEB: {}}, answer=snapshot.now)) == ahead
    store.close()


def test_events_are_kept_for_400_days_and_trimmed_by_later_writes(server: Server, database: str, store: PostgresqlStore) -> None:
    put(store, {WEB: {}}, [event(failure_count=number) for number in range(4)])
    server.sql("UPDATE selfheal.events SET recorded_at = now() - interval '401 days' WHERE number <= 2", database)
    server.sql("UPDATE selfheal.events SET recorded_at = now() - interval '399 days' WHERE number = 3", database)
    put(store, {WEB: {}}, [event(failure_count=4)])
    assert [found.failure_count for found in store.events()] == [2, 3, 4]
    assert store.prune(datetime.now(UTC) - timedelta(days=90)) == 1
    assert [found.failure_count for found in store.events()] == [3, 4]
    store.close()


def test_connection_that_was_lost_between_two_calls_is_made_again(server: Server, database: str, store: PostgresqlStore) -> None:
    store.transact([WEB], incremented)
    server.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'selfheal'")
    assert store.transact([WEB], incremented) == 2
    assert count_of(store) == 2
    store.close()


def test_child_of_a_fork_opens_its_own_connection(store: PostgresqlStore) -> None:
    store.transact([WEB], incremented)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if store.transact([WEB], incremented) == 2 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.transact([WEB], incremented) == 3
    store.close()


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_conflict_runs_the_function_again_on_what_is_there_then(server: Server, database: str, store: PostgresqlStore, sqlstate: str) -> None:
    put(store, {WEB: {"count": 5}})
    trouble(server, database, f"IF nextval('trouble') < 3 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '{sqlstate}'; END IF;")
    calls = []

    def counted(snapshot):  # type: ignore[no-untyped-def]
        calls.append(snapshot)
        return incremented(snapshot)

    assert store.transact([WEB], counted) == 6
    assert len(calls) == 3
    assert [found.failure_count for found in store.events()] == [6]
    store.close()


def test_writers_of_scopes_in_any_order_never_deadlock(url: str) -> None:
    names = [f"env/{letter}" for letter in "abcdef"]
    stores = [open_store(url, deadline=60) for _dummy in range(4)]
    stores[0].store_id()
    orders = [names, names[::-1], names[3:] + names[:3], names[::2] + names[1::2]]

    def write(number: int) -> None:
        for _dummy in range(15):
            stores[number].transact(
                orders[number], lambda snapshot: Change({name: {"count": (snapshot.documents[name] or {"count": 0})["count"] + 1} for name in names})
            )

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {name: document for name, document in stores[0].read(names).documents.items() if document != {"count": 60}} == {}
    for store in stores:
        store.close()


def test_older_schema_is_brought_up_once_whoever_comes(monkeypatch: pytest.MonkeyPatch, server: Server, database: str, url: str) -> None:
    older = open_store(url)
    put(older, {WEB: {"count": 1}})
    older.close()
    step = ("CREATE TABLE selfheal.later (name text)",)
    monkeypatch.setattr(postgresql_schema, "STEPS", (*postgresql_schema.STEPS, step))
    stores = [open_store(url) for _dummy in range(3)]
    threads = [threading.Thread(target=store.store_id) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [count_of(store) for store in stores] == [1, 1, 1]
    assert server.sql("SELECT schema_version FROM selfheal.meta", database) == [(2,)]
    for store in stores:
        store.close()


def test_writes_are_on_the_disk_even_where_the_server_is_told_not_to_wait(server: Server, database: str, store: PostgresqlStore) -> None:
    server.sql(f"ALTER DATABASE {database} SET synchronous_commit = off")
    store.store_id()
    seen: list[str] = []

    def look(_snapshot: object) -> Change:
        assert store._line is not None
        from sqlalchemy import text

        seen.append(str(store._line.connection.execute(text("SHOW synchronous_commit")).scalar_one()))
        return Change()

    store.transact([], look)
    assert seen == ["on"]
    store.close()


def test_importing_the_store_imports_no_library() -> None:
    code = f"import sys; import {PostgresqlStore.__module__}; assert not {{'sqlalchemy', 'psycopg'}} & set(sys.modules)"
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "collections")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ)
