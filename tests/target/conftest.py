# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One lab of one host for all tests of this directory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, service
from tests.lab.conftest import machine

from .target import Target

__all__ = ["machine"]


@pytest.fixture(scope="session")
def lab(machine: None) -> Iterator[Lab]:
    lab = Lab("target", hosts=1)
    lab.down()  # what a killed session left behind
    try:
        lab.up()
        service.load(lab.hosts[0].engine())
        yield lab
    finally:
        lab.down()


@pytest.fixture
def target(lab: Lab, tmp_path: Path) -> Iterator[Target]:
    target = Target(lab, tmp_path)
    yield target
    target.clear()
