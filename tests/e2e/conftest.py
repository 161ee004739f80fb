# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One lab of four hosts and two control nodes for all tests of this directory, and for each test a site of its own on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab
from tests.lab.conftest import machine

from .site import Site, load_images

__all__ = ["machine"]


@pytest.fixture(scope="session")
def lab(machine: None) -> Iterator[Lab]:
    lab = Lab("e2e", hosts=4, controllers=2)
    lab.down()  # what a killed session left behind
    try:
        lab.up()
        load_images(lab)
        yield lab
    finally:
        lab.down()


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    with Site(lab, tmp_path) as site:
        yield site
