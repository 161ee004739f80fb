# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One lab for all tests of this directory."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from . import Lab, lab_unavailable


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab: needs a machine that can host the lab (root, namespaces)")


@pytest.fixture(scope="session")
def machine() -> None:
    """Skip when this machine cannot host a lab; on CI that is a failure."""
    reason = lab_unavailable()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="session")
def lab(machine: None) -> Iterator[Lab]:
    lab = Lab("selftest")
    lab.down()
    seconds = lab.up()
    print(f"\n{len(lab.hosts)} hosts up in {seconds:.2f} s")
    yield lab
    lab.down()
