# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the command line and the modules share: which scope is meant, durations, and commands as transactions."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.durations import seconds_of
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.guard_commands import Guard, closing, in_turn, pausing, threshold
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.guard_target import NOBODY, Known, Target, for_change, target
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.sqlite import SqliteStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import StateError
from ansible_collections.selfheal.recovery.plugins.module_utils._domain import operator as person
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.scope import Scope
from ansible_collections.selfheal.recovery.tests.unit.plugins.place import KEY, Place, Service, instance

DB = "staging/db"


@pytest.mark.parametrize(
    ("named", "default", "services", "expected"),
    [
        (DB, KEY, (KEY,), DB),
        (f"{KEY}/web1", "", (), f"{KEY}/web1"),
        (None, DB, (KEY,), DB),
        (None, f"{KEY}/web1", (), f"{KEY}/web1"),
        (None, "", (KEY,), KEY),
        (None, "", (), str(NOBODY)),
    ],
)
def test_named_stands_above_the_default_above_the_only_service(named: str | None, default: str, services: tuple[str, ...], expected: str) -> None:
    found = target(named, {"RECOVERY_DEFAULT_SCOPE": default}, Known(services))
    assert str(found) == expected
    assert found.named is (expected != str(NOBODY))


def test_several_services_and_none_named_lists_them() -> None:
    services = tuple(f"production/s{number:02}" for number in range(12))
    with pytest.raises(BadInput) as refused:
        target(None, {}, Known(services))
    assert "has 12: production/s00, " in str(refused.value)
    assert "production/s09 and 2 more" in str(refused.value)


def test_environment_is_a_target_only_where_it_can_be() -> None:
    assert target("production", {}, Known(), environments=True) == Target("production")
    for named, environments in (("production", False), ("", True), ("pro\nduction", True), ("x" * 201, True)):
        with pytest.raises(BadInput):
            target(named, {}, Known(), environments)


def test_change_of_nothing_in_particular_is_refused() -> None:
    with pytest.raises(BadInput, match="--scope"):
        for_change(target(None, {}, Known()))
    assert for_change(target(str(NOBODY), {}, Known())).scope == NOBODY


def test_known_are_services_and_environments() -> None:
    known = Known.of(["production", "production/web", "staging/db"])
    assert (known.services, known.environments) == (("production/web", "staging/db"), ("production", "staging"))


def test_dry_run_answers_and_writes_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill(service=Service(instances={"web1": instance(3)}))
    store = SqliteStore(str(place.path))
    outcome = Guard(store, "ada", {}, dry_run=True).check(Target("production", Scope.parse(KEY)))
    assert (outcome.changed, outcome.before["status"], outcome.after["status"]) == (True, "closed", "open")
    assert store.events() == []
    assert Guard(store, "ada", {}).view(Scope.parse(KEY)).status()["status"] == "closed"
    store.close()


def test_several_commands_are_one_transaction(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill(service=Service(instances={"web1": instance(2)}))
    store = SqliteStore(str(place.path))
    guard = Guard(store, "ada", {})
    chosen = Target("production", Scope.parse(KEY))
    with pytest.raises(BadInput):
        guard.change(chosen, in_turn(threshold("recovery", 2), threshold("deployment", 0)))
    assert store.events() == []
    outcome = guard.change(chosen, in_turn(threshold("recovery", 2), person.check_breaker))
    assert [event.action for event in outcome.events] == [event.action for event in store.events()] == ["threshold", "opened"]
    assert [event.triggered_by for event in outcome.events] == ["ada", "ada"]
    assert not guard.change(chosen, in_turn(threshold("recovery", 2), person.check_breaker)).changed
    assert guard.change(chosen, in_turn(closing(keep_failures=True))).after["recovery_failure_count"] == 2
    store.close()


def test_pause_for_the_same_reason_is_kept_only_when_asked(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.fill()
    store = SqliteStore(str(place.path))
    guard = Guard(store, "ada", {})
    chosen = Target("production", Scope.parse(KEY))
    assert guard.change(chosen, pausing(60), "work").changed
    assert not guard.change(chosen, pausing(3600, keep=True), "work").changed
    assert guard.change(chosen, pausing(3600), "work").changed
    store.close()


def test_pause_that_is_over_is_not_kept(tmp_path: Path) -> None:
    beginning = datetime(2026, 1, 1, tzinfo=timezone.utc)
    store = SqliteStore(str(tmp_path / "state" / "state.db"), clock=lambda: beginning)
    chosen = Target("production", Scope.parse(KEY))
    assert Guard(store, "ada", {}).change(chosen, pausing(60), "work").changed
    store.close()
    later = SqliteStore(str(tmp_path / "state" / "state.db"), clock=lambda: beginning + timedelta(seconds=61))
    assert Guard(later, "ada", {}).view(Scope.parse(KEY)).status()["paused"] is None
    assert Guard(later, "ada", {}).change(chosen, pausing(60, keep=True), "work").changed
    later.close()


def test_named_scope_does_not_hide_an_unreadable_state(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but long enough to look like one" * 50)
    guard = Guard(SqliteStore(str(path)), "ada", {})
    chosen = guard.target(KEY)
    for ask in (lambda: guard.view(Scope.parse(KEY)), lambda: guard.check(chosen), lambda: guard.events(chosen), guard.known):
        with pytest.raises(StateError):
            ask()


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("2h", 7200), ("1d", 86400), ("90s", 90), ("1h30m", 5400), (" 1d2h3m4s ", 93784)])
def test_duration(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "0s", "-1h", "1.5h", "30m1h", "1H", "2 h", "1w", "²h", "1h\n1h"])
def test_no_duration(text: str) -> None:
    with pytest.raises(BadInput, match="duration"):
        seconds_of(text)
