# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""State that is out of reach on a real server: each way is refused by a class of its own, in one line that says what to do."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters import postgresql_connection
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.portable import Portable
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.postgresql import PostgresqlStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.postgresql_connection import GRACE
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change, StateError
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store_errors import (
    StateBusy,
    StateCorrupt,
    StateDenied,
    StateForeign,
    StateLost,
    StateMisplaced,
    StateNewer,
    StateUncertain,
    StateUnreachable,
)
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.store_conformance import WEB, count_of, event, incremented, put
from tests.lab import wait

from .faults import sessions, trouble
from .server import PASSWORD, Server

pytestmark = pytest.mark.postgresql

READ: tuple[Callable[[Portable], object], ...] = (
    lambda store: store.store_id(),
    lambda store: store.read([WEB]),
    lambda store: store.scopes(),
    lambda store: store.events(),
    lambda store: store.whole(),
)
WRITE: tuple[Callable[[Portable], object], ...] = (lambda store: store.transact([WEB], incremented),)
COLLECTIONS = Path(__file__).resolve().parents[2] / "collections"


@pytest.fixture
def kept(url: str) -> str:
    """The URL of a state worth keeping: one document, one event."""
    store = open_store(url)
    put(store, {WEB: {"count": 1}}, [event()])
    store.close()
    return url


@pytest.fixture
def own() -> Iterator[Server]:
    """A server that this test may stop and freeze."""
    with Server() as server:
        server.sql("CREATE DATABASE state")
        yield server


@pytest.fixture
def role(server: Server, database: str) -> str:
    """A role that owns nothing and may nothing but log in."""
    name = f"role_{database}"
    server.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
    return name


def refused(
    url: str, error: type[StateError], match: str, calls: tuple[Callable[[Portable], object], ...] = READ + WRITE, deadline: float = 10.0
) -> StateError:
    """Each of `calls` fails with `error`, in one line that says what to do, and in time. The last one's refusal."""
    for call in calls:
        store = open_store(url, deadline)
        began = time.monotonic()
        with pytest.raises(error, match=match) as caught:
            call(store)
        assert time.monotonic() - began < deadline + GRACE + 2
        store.close()
        said(caught.value, error)
    return caught.value


def said(failure: StateError, kind: type[StateError]) -> None:
    assert type(failure) is kind
    assert failure.reason == "state_unreadable"
    assert failure.message.startswith("expected ")
    assert "found" in failure.message
    assert failure.advice
    assert "\n" not in str(failure)
    assert PASSWORD not in str(failure)


# The way there.


def test_server_that_is_down(own: Server) -> None:
    url = own.url("state")
    own.stop()
    failure = refused(url, StateUnreachable, "expected to reach the server of postgresql://")
    assert "Look whether it runs" in failure.advice


def test_server_that_goes_down_in_the_middle_wrote_nothing(own: Server) -> None:
    store = open_store(own.url("state"))
    put(store, {WEB: {"count": 1}}, [event()])

    def outage(_snapshot: object) -> Change:
        own.stop()
        return Change({WEB: {"count": 2}}, [event()])

    with pytest.raises(StateUnreachable) as caught:
        store.transact([WEB], outage)
    said(caught.value, StateUnreachable)
    assert "Nothing was written" in caught.value.advice
    own.start()
    assert (count_of(store), len(store.events())) == (1, 1)
    assert store.transact([WEB], incremented) == 2
    store.close()


def test_frozen_server_does_not_hang_anybody(own: Server) -> None:
    used = [open_store(own.url("state"), 0.5) for _call in READ + WRITE]
    for store in used:
        assert store.scopes() == []
    own.freeze()
    for store, call in zip(used, READ + WRITE, strict=True):
        for each in (store, open_store(own.url("state"), 0.5)):
            began = time.monotonic()
            with pytest.raises(StateUnreachable, match=r"within 0\.5 s, found silence"):
                call(each)
            assert time.monotonic() - began < 0.5 + GRACE + 2
    own.thaw()
    assert [store.transact([WEB], incremented) for store in used] == list(range(1, len(used) + 1))
    for store in used:
        store.close()


def test_network_that_swallows_everything_does_not_hang_anybody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"postgresql://me:{PASSWORD}@127.0.0.1:{listener.getsockname()[1]}/state"
        refused(url, StateUnreachable, "found silence", calls=READ[:1] + WRITE, deadline=0.5)


def test_commit_that_nobody_confirmed_is_neither_repeated_nor_called_failed(server: Server, database: str, kept: str) -> None:
    trouble(server, database, "PERFORM pg_sleep(30);", deferred=True)
    store, calls = open_store(kept), []

    def counted(snapshot):  # type: ignore[no-untyped-def]
        calls.append(snapshot)
        return incremented(snapshot)

    store.read([])
    ending = threading.Thread(target=lambda: _end_when_committing(server, database))
    ending.start()
    with pytest.raises(StateUncertain, match=r"expected .* to confirm what was written") as caught:
        store.transact([WEB], counted)
    ending.join()
    said(caught.value, StateUncertain)
    assert "not known whether" in caught.value.advice
    assert len(calls) == 1
    assert count_of(store) == 1
    store.close()


def test_server_that_freezes_in_the_commit_leaves_it_unknown(own: Server) -> None:
    url = own.url("state")
    store = open_store(url, 3.0)
    put(store, {WEB: {"count": 1}}, [event()])
    trouble(own, "state", "PERFORM pg_sleep(0.7);", deferred=True)
    freezing = threading.Timer(0.4, own.freeze)
    freezing.start()
    with pytest.raises(StateUncertain, match="found: silence"):
        store.transact([WEB], incremented)
    freezing.join()
    own.thaw()
    store.close()


def _end_when_committing(server: Server, database: str) -> None:
    committing = f"{sessions(database)} AND state = 'active' AND query = 'COMMIT'"
    wait.until("the commit", lambda: server.sql(committing), seconds=10)
    server.sql(f"SELECT pg_terminate_backend(pid) FROM ({sessions(database)}) AS ours")


def test_server_that_hangs_up_while_a_connection_is_made_is_told_in_its_own_words(server: Server, kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapped = postgresql_connection._wrapped

    def late(raw):  # type: ignore[no-untyped-def]
        server.sql(f"SELECT pg_terminate_backend({raw.info.backend_pid})")
        return wrapped(raw)

    monkeypatch.setattr(postgresql_connection, "_wrapped", late)
    refused(kept, StateUnreachable, "found: (terminating connection|consuming input failed: (server closed|terminating))", calls=READ[:1])


def test_line_that_was_cut_after_its_answer_is_made_again(kept: str) -> None:
    """The timer that watches a call may go off while the answer arrives."""
    store = open_store(kept)
    assert isinstance(store, PostgresqlStore)
    assert count_of(store) == 1
    assert store._line is not None
    store._line._cut()
    assert store.transact([WEB], incremented) == 2
    store.close()


@pytest.mark.parametrize("name", ["tls", "ssl error", "certificates", "authentication failed"])
def test_names_are_not_taken_for_reasons(server: Server, tmp_path: Path, name: str) -> None:
    """What the server is called says nothing about why it does not answer."""
    refused(f"postgresql://{quote(str(tmp_path / name), safe='')}/state", StateUnreachable, "expected to reach the server", calls=READ[:1])
    refused(server.url(quote(name)), StateMisplaced, f'database "{name}" does not exist', calls=READ[:1])


# Being let in.


def test_wrong_password(server: Server, kept: str, database: str) -> None:
    failure = refused(server.url(database, password="CANARY-wrong"), StateDenied, "password authentication failed")
    assert "PGPASSWORD" in failure.advice
    assert "CANARY" not in str(failure)


def test_unknown_database(server: Server) -> None:
    failure = refused(server.url("nowhere"), StateMisplaced, 'database "nowhere" does not exist')
    assert "createdb" in failure.advice


def test_unknown_role_and_unknown_service(server: Server, database: str) -> None:
    refused(server.url(database, user="nobody_here"), StateDenied, "authentication failed")
    refused(server.url(database, service="nowhere"), StateMisplaced, 'definition of service "nowhere" not found')


@pytest.mark.parametrize("name", ["row_factory", "prepare_threshold", "conninfo", "nonsense"])
def test_parameter_that_is_none_of_libpqs(server: Server, database: str, name: str) -> None:
    failure = refused(server.url(database, **{name: "CANARY"}), StateMisplaced, "invalid connection option|multiple values for", calls=READ[:1])
    assert "CANARY" not in str(failure)


def test_server_without_tls_where_the_url_wants_it() -> None:
    with Server(listen="127.0.0.1") as server:
        url = server.url("postgres", host=f"127.0.0.1:{server.port}", sslmode="require")
        failure = refused(url, StateDenied, "does not support SSL", calls=READ[:1] + WRITE)
        assert "sslmode" in failure.advice
        open_store(server.url("postgres", host=f"127.0.0.1:{server.port}")).store_id()


def test_no_place_left(server: Server, kept: str, database: str, role: str) -> None:
    server.sql(f"ALTER ROLE {role} CONNECTION LIMIT 0")
    refused(server.url(database, user=role), StateBusy, "too many connections for role", deadline=0.5)


def test_place_that_becomes_free_in_time_is_taken(server: Server, kept: str, database: str, role: str) -> None:
    server.sql(f"GRANT pg_read_all_data TO {role}")
    server.sql(f"ALTER ROLE {role} CONNECTION LIMIT 1")
    first, second = (open_store(server.url(database, user=role)) for _dummy in range(2))
    assert count_of(first) == 1
    leaving = threading.Timer(0.5, first.close)
    leaving.start()
    assert count_of(second) == 1
    leaving.join()
    second.close()


def test_password_of_the_environment_and_service_file_are_libpqs(
    server: Server, kept: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    bare = open_store(server.url(database).replace(f":{PASSWORD}@", "@"))
    assert count_of(bare) == 1
    bare.close()
    service = tmp_path / "services"
    service.write_text(f"[state]\nhost={server.directory}\nuser=admin\ndbname={database}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(service))
    named = open_store("postgresql://?service=state")
    assert count_of(named) == 1
    named.close()
    monkeypatch.setenv("PGPASSWORD", "CANARY-wrong")
    assert "CANARY" not in str(refused("postgresql://?service=state", StateDenied, "password authentication failed"))


# Being allowed to.


def test_role_that_may_not_make_the_state_is_told_how_the_owner_does(server: Server, database: str, role: str) -> None:
    failure = refused(server.url(database, user=role), StateDenied, "permission denied for database")
    assert "selfheal state init --state OWNER-URL" in failure.advice
    assert "GRANT USAGE ON SCHEMA selfheal TO ROLE" in failure.advice


def test_role_with_just_the_grants_that_are_named_can_do_everything(server: Server, kept: str, database: str, role: str) -> None:
    failure = refused(server.url(database, user=role), StateDenied, "permission denied for schema selfheal")
    grants = failure.advice.partition("for the role of this URL: ")[2]
    for grant in grants.replace("ROLE", role).split(";"):
        server.sql(grant, database)
    store = open_store(server.url(database, user=role))
    assert store.transact([WEB], incremented) == 2
    assert len(store.events(WEB)) == 2
    assert store.scopes() == [WEB]
    assert store.prune(store.read([]).now) == 2
    store.close()


def test_role_that_may_only_read_reads_and_is_refused_to_write(server: Server, kept: str, database: str, role: str) -> None:
    server.sql(f"GRANT USAGE ON SCHEMA selfheal TO {role}", database)
    server.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA selfheal TO {role}", database)
    url = server.url(database, user=role)
    assert count_of(open_store(url)) == 1
    refused(url, StateDenied, "permission denied for table meta", calls=WRITE)


def test_read_only_session_reads_and_is_refused_to_write(server: Server, kept: str, database: str) -> None:
    server.sql(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    store = open_store(kept)
    assert count_of(store) == 1
    store.close()
    failure = refused(kept, StateDenied, "a server that only reads", calls=WRITE)
    assert "target_session_attrs=read-write" in failure.advice


def test_standby_answers_for_display_and_refuses_to_write(own: Server) -> None:
    put(open_store(own.url("state")), {WEB: {"count": 1}}, [event()])
    with Server(standby_of=own) as standby:
        reader = open_store(standby.url("state"))
        wait.until("the standby to follow", lambda: count_of(reader) == 1, seconds=15)
        assert len(reader.events()) == 1
        assert reader.whole().store_id == open_store(own.url("state")).store_id()
        refused(standby.url("state"), StateDenied, "a server that only reads", calls=WRITE)
        own.sql("CREATE DATABASE fresh")
        wait.until("the new database on the standby", lambda: standby.sql("SELECT 1 FROM pg_database WHERE datname = 'fresh'"), seconds=15)
        failure = refused(standby.url("fresh"), StateDenied, "found none, on a server that only reads", calls=READ)
        assert "selfheal state init" in failure.advice
        both = f"postgresql://admin:{PASSWORD}@/state?host={standby.directory},{own.directory}&target_session_attrs=read-write"
        writer = open_store(both)
        assert writer.transact([WEB], incremented) == 2
        writer.close()
        reader.close()


# Waiting.


def test_lock_held_by_another_is_waited_for_until_the_deadline_and_readers_go_on(kept: str) -> None:
    holder, store = open_store(kept), open_store(kept, 0.5)
    inside, leave = threading.Event(), threading.Event()

    def slow(_snapshot: object) -> Change:
        inside.set()
        leave.wait(10)
        return Change()

    thread = threading.Thread(target=holder.transact, args=([WEB], slow))
    thread.start()
    inside.wait(10)
    began = time.monotonic()
    with pytest.raises(StateBusy, match="locked by another session") as caught:
        store.transact(["other/service"], lambda snapshot: Change())
    assert 0.4 <= time.monotonic() - began < 3
    said(caught.value, StateBusy)
    assert count_of(store) == 1
    leave.set()
    thread.join()
    assert store.transact([WEB], incremented) == 2
    holder.close()
    store.close()


def test_holder_that_stops_in_the_middle_is_sent_away_and_wrote_nothing(kept: str) -> None:
    """In time for another one that came right after it and waits as long."""
    holder, store = open_store(kept, 4.0), open_store(kept, 4.0)
    inside, leave = threading.Event(), threading.Event()
    failures: list[StateError] = []

    def asleep(_snapshot: object) -> Change:
        inside.set()
        leave.wait(20)
        return Change({WEB: {"count": 99}})

    def hold() -> None:
        try:
            holder.transact([WEB], asleep)
        except StateError as error:
            failures.append(error)

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10)
    assert store.transact([WEB], incremented) == 2
    leave.set()
    thread.join()
    assert [type(failure) for failure in failures] == [StateUnreachable]
    assert count_of(store) == 2
    holder.close()
    store.close()


def test_statement_that_takes_too_long_is_ended_by_the_server(server: Server, database: str, kept: str) -> None:
    trouble(server, database, "PERFORM pg_sleep(30);")
    refused(kept, StateBusy, "to answer within the deadline", calls=WRITE, deadline=0.5)
    assert server.sql(f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND state = 'active' AND application_name = 'selfheal'") == [(0,)]


def test_conflict_without_end_is_given_up_at_the_deadline(server: Server, database: str, kept: str) -> None:
    trouble(server, database, "RAISE EXCEPTION 'in the way' USING ERRCODE = '40001';")
    refused(kept, StateBusy, "expected a turn at the state", calls=WRITE, deadline=0.5)


# What is there.


@pytest.mark.parametrize(
    ("damage", "error", "match"),
    [
        ("DROP TABLE selfheal.documents", StateCorrupt, "no table documents"),
        ("DROP TABLE selfheal.events", StateCorrupt, "no table events"),
        ("DROP TABLE selfheal.meta", StateLost, "the empty place of a state"),
        ("DROP TABLE selfheal.meta, selfheal.documents, selfheal.events", StateLost, "the empty place of a state"),
        ("DELETE FROM selfheal.meta", StateCorrupt, "0 rows in selfheal.meta"),
        ("UPDATE selfheal.meta SET store_id = 'x'", StateCorrupt, "other values than we write"),
        ("ALTER TABLE selfheal.meta DROP COLUMN written_at", StateCorrupt, "written_at"),
        ("UPDATE selfheal.meta SET schema_version = 99", StateNewer, "found schema 99"),
        ("UPDATE selfheal.meta SET application = 'another'", StateForeign, "a schema of something else"),
        ("UPDATE selfheal.meta SET retired = '{'", StateCorrupt, "note on where"),
    ],
)
def test_state_that_is_not_whole_is_refused_and_never_taken_as_fresh(
    server: Server, database: str, kept: str, damage: str, error: type[StateError], match: str
) -> None:
    server.sql(damage, database)
    calls = WRITE + READ if "DROP TABLE selfheal.e" not in damage and "documents" not in damage else WRITE
    refused(kept, error, match, calls=calls)


@pytest.mark.parametrize("damage", ["UPDATE selfheal.documents SET body = '{'", "UPDATE selfheal.documents SET body = '[]'"])
def test_document_that_is_damaged_is_refused(server: Server, database: str, kept: str, damage: str) -> None:
    server.sql(damage, database)
    refused(kept, StateCorrupt, "expected a JSON object as the document of env/web", calls=(READ[1], READ[4], *WRITE))


def test_schema_of_something_else_is_left_alone(server: Server, database: str, url: str) -> None:
    server.sql("CREATE SCHEMA selfheal", database)
    server.sql("CREATE TABLE selfheal.meta (name text)", database)
    refused(url, StateForeign, "a schema of something else")
    assert server.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'selfheal'", database) == [(1,)]


def test_empty_schema_that_was_made_for_it_is_used(server: Server, database: str, role: str) -> None:
    server.sql(f"CREATE SCHEMA selfheal AUTHORIZATION {role}", database)
    store = open_store(server.url(database, user=role))
    assert store.transact([WEB], incremented) == 1
    store.close()


def test_database_in_another_encoding_is_refused(server: Server) -> None:
    server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
    refused(server.url("latin"), StateMisplaced, "encoding UTF8, found LATIN1")


# Without the libraries.


def test_interpreter_without_the_libraries_is_named_with_the_command_that_installs_them(tmp_path: Path, kept: str) -> None:
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"
    code = (
        "import sys; from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store\n"
        "from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import StateError\n"
        "try: open_store(sys.argv[1]).read([])\n"
        "except StateError as error: print(error.reason, error)"
    )
    told = subprocess.run([python, "-c", code, kept], env={**os.environ, "PYTHONPATH": str(COLLECTIONS)}, check=True, capture_output=True, text=True).stdout
    assert told.startswith("state_unreadable expected SQLAlchemy 2 and psycopg 3 for ")
    assert f"{python} -m pip install 'psycopg[binary]" in told
    assert sys.executable not in told
