# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Each package, built and installed once a session; a lab of one host, and a site on it for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.site import Site, load_images
from tests.lab import Lab
from tests.lab.conftest import machine

from . import build, installed

__all__ = ["machine"]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (build.CHECKOUT / ".git").exists():
        pytest.skip("not a git checkout: no list of files to build from")
    return build.copy(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="session")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.wheel(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def artifact(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.artifact(source, tmp_path_factory.mktemp("artifact"))


@pytest.fixture(scope="session")
def from_wheel(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> installed.Installed:
    return installed.from_wheel(wheel, tmp_path_factory.mktemp("from-wheel"))


@pytest.fixture(scope="session")
def from_galaxy(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> installed.Installed:
    return installed.from_artifact(artifact, tmp_path_factory.mktemp("from-galaxy"))


@pytest.fixture(scope="session")
def from_checkout(tmp_path_factory: pytest.TempPathFactory) -> installed.Installed:
    return installed.from_checkout(tmp_path_factory.mktemp("from-checkout"))


@pytest.fixture(params=["wheel", "galaxy", "checkout"])
def product(request: pytest.FixtureRequest) -> installed.Installed:
    """The product, installed in each way."""
    found: installed.Installed = request.getfixturevalue(f"from_{request.param}")
    return found


@pytest.fixture(scope="session")
def lab(machine: None) -> Iterator[Lab]:
    lab = Lab("packages", hosts=1)
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


@pytest.fixture
def var_lib(tmp_path: Path) -> Path:
    """What the control node's /var/lib is during the test."""
    path = tmp_path / "var-lib"
    path.mkdir()
    return path
