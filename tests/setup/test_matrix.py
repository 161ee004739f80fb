# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The matrix of versions: which legs there are, and what becomes of one that this machine cannot run."""

from __future__ import annotations

import re

import pytest

from . import run_matrix
from .run_ansible_test import COLLECTION
from .run_matrix import LEGS, Leg, main


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_leg_without_its_python_is_skipped_with_the_reason_and_fails_on_ci(
    ci: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run_matrix, "LEGS", (Leg("2.19", "3.99"),))
    monkeypatch.setenv("CI", ci)
    assert main([]) == status
    assert re.search(r"ansible-core 2\.19 .*skipped: needs Python 3\.99", capsys.readouterr().out)


def test_series_that_is_not_in_the_matrix_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["1.0"]) == 2
    assert "2.19|2.21|others" in capsys.readouterr().err


def test_oldest_leg_is_the_oldest_that_the_collection_takes() -> None:
    found = re.search(r'requires_ansible: ">=([0-9.]+)\.0"', (COLLECTION / "meta" / "runtime.yml").read_text())
    assert found
    assert LEGS[0].core == found[1]
