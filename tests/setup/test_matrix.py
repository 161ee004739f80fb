# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The matrix of versions: which legs there are, and what becomes of one that this machine cannot run."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.lab import wait
from tests.lab.lock import Lock

from . import run_matrix
from .run_ansible_test import COLLECTION, THIS_PYTHON
from .run_matrix import LEGS, Leg, main, prepare


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_leg_without_its_python_is_skipped_with_the_reason_and_fails_on_ci(
    ci: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_matrix, "LEGS", (Leg("2.19", "3.99"),))
    monkeypatch.setenv("CI", ci)
    assert main([]) == status
    assert re.search(r"ansible-core 2\.19 .*skipped: needs Python 3\.99", capsys.readouterr().out)


def test_leg_whose_environment_is_not_made_in_time_fails_and_the_next_one_is_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tried: list[Leg] = []

    def slow(leg: Leg, _python: str, _lock: int) -> None:
        tried.append(leg)
        raise subprocess.TimeoutExpired("pip", 600)

    monkeypatch.setattr(run_matrix, "CACHE", tmp_path)
    monkeypatch.setattr(run_matrix, "LEGS", (Leg("2.19", THIS_PYTHON), Leg("2.21", THIS_PYTHON)))
    monkeypatch.setattr(run_matrix, "make", slow)
    assert main([]) == 1
    assert [leg.core for leg in tried] == ["2.19", "2.21"]
    assert "FAILED: no environment: " in capsys.readouterr().out


def test_environment_is_made_once_by_two_at_once_and_again_when_that_was_cut_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made: list[Leg] = []
    came: list[Lock] = []

    class Counted(Lock):
        def __enter__(self) -> Lock:
            came.append(self)
            return super().__enter__()

    def make(leg: Leg, _python: str, _lock: int) -> None:
        made.append(leg)
        leg.program("ansible-playbook").parent.mkdir(parents=True, exist_ok=True)
        leg.program("ansible-playbook").touch()
        if len(made) == 1:
            raise subprocess.TimeoutExpired("pip", 600)
        wait.until("the other one", lambda: len(came) == 3, seconds=30)

    monkeypatch.setattr(run_matrix, "CACHE", tmp_path)
    monkeypatch.setattr(run_matrix, "Lock", Counted)
    monkeypatch.setattr(run_matrix, "make", make)
    leg = Leg("2.19", THIS_PYTHON)
    with pytest.raises(subprocess.TimeoutExpired):
        prepare(leg)
    with ThreadPoolExecutor() as pool:
        list(pool.map(prepare, [leg, leg]))
    assert len(made) == 2


def test_series_that_is_not_in_the_matrix_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["1.0"]) == 2
    assert "2.19|2.21|others" in capsys.readouterr().err


def test_oldest_leg_is_the_oldest_that_the_collection_takes() -> None:
    found = re.search(r'requires_ansible: ">=([0-9.]+)\.0"', (COLLECTION / "meta" / "runtime.yml").read_text())
    assert found
    assert LEGS[0].core == found[1]
