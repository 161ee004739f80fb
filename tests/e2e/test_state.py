# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guard state: a host obeys one store, and without readable state nothing is done."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from .site import Site, now

pytestmark = pytest.mark.e2e


def test_a_second_store_is_refused_until_a_person_says_that_it_takes_over(site: Site) -> None:
    """Two stores would each have their own breaker and lease for the same host (lesson 51)."""
    (cart,) = site.deploy("cart")
    other = site.store("other")
    cart.break_until_restart()
    assert site.recover().told("cart1") == ("recovered", "health_check_failed")

    cart.break_until_restart()
    since = now()
    foreign = site.recover(RECOVERY_STATE=other)

    assert (foreign.status, foreign.told("cart1")) == (2, ("refused", "foreign_store"))
    assert site.mutations(since) == {}

    (adopt,) = set(re.findall(r"selfheal state adopt --from [0-9a-f]{32} --reason \w+", foreign.output))
    site.type(adopt, RECOVERY_STATE=other)
    adopted = site.recover(RECOVERY_STATE=other)

    assert (adopted.status, adopted.told("cart1")) == (0, ("recovered", "health_check_failed"))
    assert site.restarts(since) == {"cart1": 1}

    cart.break_until_restart()
    since = now()
    former = site.recover()

    assert (former.status, former.told("cart1")) == (2, ("refused", "foreign_store"))
    assert site.mutations(since) == {}


@contextmanager
def damaged(path: Path) -> Iterator[str]:
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    yield f"sqlite:///{path}"


@contextmanager
def newer(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
    yield f"sqlite:///{path}"


@contextmanager
def deleted(path: Path) -> Iterator[str]:
    path.with_name(path.name + "-wal").write_bytes(b"what it still held")
    path.unlink()
    yield f"sqlite:///{path}"


@contextmanager
def misplaced(path: Path) -> Iterator[str]:
    yield f"sqlite:///{path / 'state.db'}"


@contextmanager
def locked(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        yield f"sqlite:///{path}"


@pytest.mark.parametrize(
    ("spoilt", "why"),
    [
        (damaged, "found it damaged"),
        (newer, "found schema 99"),
        (deleted, "found it gone"),
        (misplaced, "expected a directory for the state"),
        (locked, "found it locked by another process"),
    ],
)
def test_unreadable_state_is_never_taken_for_a_closed_breaker(site: Site, spoilt: Callable[[Path], AbstractContextManager[str]], why: str) -> None:
    """State that cannot be read refuses, and is not "closed, 0 failures" (lesson 19)."""
    bank = site.deploy("bank", 2)
    for each in bank:
        each.faults.set("http500", until_restart=True)
    site.selfheal("breaker", "open", "--scope", "default/bank", "--reason", "a person wants peace")
    path = Path(site.state.removeprefix("sqlite:///"))
    since = now()

    with spoilt(path) as url:
        kept = path.read_bytes() if path.exists() else None
        run = site.recover(RECOVERY_STATE=url)
        assert (path.read_bytes() if path.exists() else None) == kept

    assert run.status == 2
    assert run.told("bank1") == run.told("bank2") == ("refused", "state_unreadable")
    assert why in run.line("bank1: refused (state_unreadable)")
    assert why in run.line("A person is needed")
    assert run.result["sessions"] == {}
    assert site.mutations(since) == {}
