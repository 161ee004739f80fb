# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every state store must do: a suite to inherit from, with a fixture ``url`` that names an empty store of one's own.

    class TestMyStore(StoreConformance):
        @pytest.fixture
        def url(self): ...

Writers are real processes (``store_worker.py``). Only pytest is needed, so that ``ansible-test units`` runs it too.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Mapping, Sequence

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change, Snapshot, Store
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.events import Event
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.times import to_text

WORKER = Path(__file__).with_name("store_worker.py")
COLLECTIONS = str(Path(__file__).resolve().parents[7])
WEB = "env/web"
ALL = 1_000_000


class Interrupted(Exception):
    """Stands for anything that a function may raise."""


def event(scope: str = WEB, action: str = "increment", **more: Any) -> Event:
    return Event(timestamp="2026-11-23T20:04:36.120Z", scope=scope, track="recovery", action=action, **more)


def put(store: Store, documents: Mapping[str, Any], events: Sequence[Event] = ()) -> Any:
    return store.transact(list(documents), lambda snapshot: Change(documents, events))


def incremented(snapshot: Snapshot, scope: str = WEB) -> Change:
    count = (snapshot.documents[scope] or {"count": 0})["count"] + 1
    happened = Event(to_text(snapshot.now), scope, "recovery", "increment", failure_count=count)
    return Change({scope: {"count": count}}, [happened], count)


def count_of(store: Store, scope: str = WEB) -> int:
    document = store.read([scope]).documents[scope]
    return 0 if document is None else document["count"]


def start(*arguments, worker=WORKER):
    command = [sys.executable, str(worker), *map(str, arguments)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [COLLECTIONS, os.environ.get("PYTHONPATH")]))}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(processes):
    """The outputs of processes that must all succeed."""
    outputs = []
    for process in processes:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        outputs.append(output.strip())
    return outputs


class StoreConformance:
    """Inherit, give a ``url``, and lower the numbers where a store is slow by nature."""

    writers = 20
    increments = 50
    kills = 12

    @pytest.fixture
    def url(self):
        raise NotImplementedError

    @pytest.fixture
    def store(self, url):
        store = open_store(url)
        yield store
        store.close()

    @pytest.fixture
    def other(self, url, store):
        """A second way into the same store, as another process would have."""
        store.store_id()
        other = open_store(url)
        yield other
        other.close()

    # What is written comes back.

    def test_scope_nobody_wrote_is_none(self, store):
        assert store.read([WEB]).documents == {WEB: None}
        assert store.scopes() == []
        assert store.events() == []

    def test_document_comes_back_as_it_was(self, store, other):
        document = {"text": "Ümläut ☃ \"quoted\" \\ 'single'", "list": [1, 2.5, None, True, {"deep": []}], "empty": {}, "large": 2**53, "": "no name"}
        put(store, {WEB: document})
        assert other.read([WEB]).documents == {WEB: document}

    def test_long_document_comes_back(self, store, other):
        put(store, {WEB: {"text": "x" * 20_000}})
        assert len(other.read([WEB]).documents[WEB]["text"]) == 20_000

    def test_document_is_replaced_as_a_whole(self, store):
        put(store, {WEB: {"a": 1, "b": 2}})
        put(store, {WEB: {"c": 3}})
        assert store.read([WEB]).documents[WEB] == {"c": 3}

    def test_changing_what_was_read_changes_nothing_stored(self, store):
        put(store, {WEB: {"list": [1]}})
        store.read([WEB]).documents[WEB]["list"].append(2)
        assert store.read([WEB]).documents[WEB] == {"list": [1]}

    def test_event_comes_back_with_all_its_keys(self, store, other):
        happened = event(reason='it\'s "sick" ☃', triggered_by="cron", session_id="recovery-20261123T200436Z-0123abcd", failure_count=3, threshold=3)
        put(store, {WEB: {}}, [happened])
        assert other.events() == [happened]

    def test_scopes_are_sorted_and_exact(self, store):
        names = ["env", "env/web", "env/Web", "env/web shop", "env/web%_*?", "Ümläut/☃", "env/web'--"]
        put(store, {name: {"name": name} for name in names})
        assert store.scopes() == sorted(names)
        assert store.read(names).documents == {name: {"name": name} for name in names}

    def test_answer_is_handed_back(self, store):
        answer = object()
        assert store.transact([WEB], lambda snapshot: Change(answer=answer)) is answer

    def test_scope_asked_for_twice_is_one_document(self, store):
        put(store, {WEB: {"count": 1}})
        assert store.read([WEB, WEB]).documents == {WEB: {"count": 1}}
        assert store.transact([WEB, WEB], incremented) == 2
        assert count_of(store) == 2

    def test_nothing_asked_for_still_tells_the_time(self, store):
        snapshot = store.read([])
        assert snapshot.documents == {}
        assert snapshot.now.utcoffset() == timedelta(0)

    def test_store_id_is_32_hex_digits_and_stays(self, store, other, url):
        first = store.store_id()
        assert re.fullmatch("[0-9a-f]{32}", first)
        put(store, {WEB: {}})
        store.close()
        assert other.store_id() == first
        assert store.store_id() == first

    # All or nothing.

    def test_change_of_several_scopes_is_seen_at_once_or_not_at_all(self, store, other):
        pair = ["env/a", "env/b"]
        put(store, {scope: {"count": 0} for scope in pair})
        done = threading.Event()
        torn = []

        def watch():
            while not done.is_set():
                documents = other.read(pair).documents
                if documents["env/a"] != documents["env/b"]:
                    torn.append(documents)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for count in range(1, 40):
            put(store, {scope: {"count": count} for scope in pair})
        done.set()
        watcher.join()
        assert torn == []

    @pytest.mark.parametrize("failure", [Interrupted, KeyboardInterrupt])
    def test_function_that_raises_writes_nothing(self, store, other, failure):
        put(store, {WEB: {"count": 1}}, [event()])

        def fails(snapshot):
            raise failure

        with pytest.raises(failure):
            store.transact([WEB], fails)
        assert count_of(other) == 1
        assert len(other.events()) == 1
        assert other.transact([WEB], incremented) == 2  # and holds nothing
        assert store.transact([WEB], incremented) == 3

    @pytest.mark.parametrize("document", [{"a": float("nan")}, {"a": {1, 2}}, {"a": object()}, ["list"], None])
    def test_what_is_no_json_object_is_refused_and_writes_nothing(self, store, document):
        with pytest.raises(BadInput, match="expected a JSON object"):
            put(store, {"env/a": {}, WEB: document}, [event()])
        assert store.scopes() == []
        assert store.events() == []

    def test_document_that_was_not_read_is_not_written(self, store):
        with pytest.raises(BadInput, match="env/other"):
            store.transact([WEB], lambda snapshot: Change({WEB: {}, "env/other": {}}, [event()]))
        assert store.scopes() == []
        assert store.events() == []

    @pytest.mark.parametrize("scopes", ["env/web", [""], [None], [1], ["env/\n"], ["env/\0"], ["env/\udcff"]])
    def test_what_is_no_list_of_scopes_is_refused(self, store, scopes):
        with pytest.raises(BadInput, match="expected"):
            store.read(scopes)
        with pytest.raises(BadInput, match="expected"):
            store.transact(scopes, lambda snapshot: Change())

    def test_change_without_content_writes_nothing(self, store, other):
        put(store, {WEB: {"count": 1}}, [event()])
        assert store.transact([WEB], lambda snapshot: Change(answer=7)) == 7
        assert count_of(other) == 1
        assert len(other.events()) == 1

    # Events.

    def test_events_are_the_newest_oldest_first(self, store):
        for first in range(0, 30, 3):
            put(store, {WEB: {}}, [event(failure_count=number) for number in range(first, first + 3)])
        assert [found.failure_count for found in store.events()] == list(range(20, 30))
        assert [found.failure_count for found in store.events(limit=4)] == [26, 27, 28, 29]
        assert [found.failure_count for found in store.events(limit=ALL)] == list(range(30))
        assert store.events(limit=0) == []

    def test_negative_limit_is_refused(self, store):
        with pytest.raises(BadInput, match="0 or more"):
            store.events(limit=-1)

    def test_events_of_a_scope_are_its_own_and_those_below(self, store):
        scopes = ["env", "env/web", "env/web/web1", "env/webshop", "env/web0", "env/web-1", "env/we", "environment/web", "env/web/web2", "env/w_b", "env/%"]
        put(store, {"env": {}}, [event(scope) for scope in scopes])
        below = {
            "env/web": ["env/web", "env/web/web1", "env/web/web2"],
            "env/web/web1": ["env/web/web1"],
            "env": [scope for scope in scopes if scope == "env" or scope.startswith("env/")],
            "env/w_b": ["env/w_b"],
            "env/%": ["env/%"],
            "env/nobody": [],
        }
        assert {scope: [found.scope for found in store.events(scope, limit=ALL)] for scope in below} == below
        assert [found.scope for found in store.events("env/web", limit=2)] == ["env/web/web1", "env/web/web2"]

    def test_events_without_a_document_are_kept(self, store):
        store.transact([], lambda snapshot: Change(events=[event()]))
        assert store.events() == [event()]

    # Several at once.

    def test_function_runs_on_what_is_there_when_it_counts(self, store, other):
        """Another writer comes in the middle of a transaction: whether it waits or the function runs again, both are counted."""
        put(store, {WEB: {"count": 0}})
        interloper = threading.Thread(target=other.transact, args=([WEB], incremented))
        calls = []

        def slow(snapshot):
            calls.append(snapshot)
            if len(calls) == 1:
                interloper.start()
                interloper.join(0.3)
            return incremented(snapshot)

        answer = store.transact([WEB], slow)
        interloper.join()
        assert count_of(store) == 2
        assert [found.failure_count for found in store.events()] == [1, 2]
        assert answer == len(calls)  # run once: it was first; run again: it was second

    def test_threads_that_share_a_store_lose_nothing(self, store):
        threads = [threading.Thread(target=lambda: [store.transact([WEB], incremented) for _dummy in range(20)]) for _dummy in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert count_of(store) == 80
        assert [found.failure_count for found in store.events(limit=ALL)] == list(range(1, 81))

    def test_many_processes_lose_nothing(self, store, url):
        total = self.writers * self.increments
        finish([start(url, "increment", self.increments) for _dummy in range(self.writers)])
        assert count_of(store) == total
        assert [found.failure_count for found in store.events(limit=ALL)] == list(range(1, total + 1))

    def test_processes_that_create_the_store_together_agree_on_it(self, url):
        answers = finish([start(url, "create") for _dummy in range(self.writers)])
        store = open_store(url)
        assert set(answers) == {store.store_id()}
        assert count_of(store) == self.writers
        store.close()

    def test_an_operators_reset_halfway_stands(self, store, url):
        half = max(2, self.writers // 5)
        writers = [start(url, "increment", self.increments) for _dummy in range(half)]
        deadline = time.monotonic() + 30
        while count_of(store) < self.increments and time.monotonic() < deadline:
            time.sleep(0.002)
        put(store, {WEB: {"count": 0}}, [event(action="close")])
        writers += [start(url, "increment", self.increments) for _dummy in range(half)]
        finish(writers)
        actions = [found.action for found in store.events(limit=ALL)]
        assert actions.count("increment") == 2 * half * self.increments
        after = len(actions) - 1 - actions.index("close")
        assert half * self.increments <= after <= (2 * half - 1) * self.increments
        assert count_of(store) == after

    def test_killed_writers_leave_a_state_that_agrees_with_itself(self, store, url):
        chance = random.Random(20261123)
        store.store_id()
        for _dummy in range(self.kills):
            before = count_of(store)
            process = start(url, "increment", ALL)
            process.stdout.readline()  # it has begun
            time.sleep(chance.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert count_of(store) == len(store.events(limit=ALL)) > before
            assert store.transact([WEB], incremented) == len(store.events(limit=ALL))

    # Time.

    def test_time_never_goes_backwards(self, store, other):
        moments = [snapshot.now for _dummy in range(10) for snapshot in (store.read([]), other.transact([WEB], lambda found: Change({WEB: {}}, answer=found)))]
        assert moments == sorted(moments)

    # Giving back.

    def test_closing_twice_is_harmless(self, store):
        put(store, {WEB: {"count": 1}})
        store.close()
        store.close()

    def test_closing_what_was_never_opened_is_harmless(self, url):
        open_store(url).close()
