# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One lab with a host for each engine that is to be had; every test here runs on each of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.site import Site, load_images
from tests.lab import Lab, LabError, engines
from tests.lab.conftest import machine
from tests.target.target import Target

__all__ = ["machine"]

VERSIONS = pytest.StashKey[dict[str, str]]()


@pytest.fixture(scope="session")
def missing(machine: None) -> dict[str, str]:
    """Engines that cannot be fetched, and why."""
    reasons = {}
    for name in engines.ENGINES:
        try:
            engines.ensure([name])
        except LabError as error:
            reasons[name] = str(error)
    return reasons


@pytest.fixture(scope="session")
def lab(missing: dict[str, str], pytestconfig: pytest.Config) -> Iterator[Lab]:
    names = [name for name in engines.ENGINES if name not in missing]
    lab = Lab("engines", hosts=len(names), engine_names=names)
    lab.down()  # what a killed session left behind
    try:
        lab.up()
        load_images(lab)
        shown = [host.docker("version", "--format", "{{.Server.Version}} (API {{.Server.APIVersion}})") for host in lab.hosts]
        pytestconfig.stash[VERSIONS] = dict(zip(names, shown, strict=True)) | missing
        yield lab
    finally:
        lab.down()


@pytest.fixture(params=engines.ENGINES)
def index(request: pytest.FixtureRequest, lab: Lab, missing: dict[str, str]) -> int:
    """Which host of the lab runs this engine. Skips when it is not to be had; on CI that is a failure."""
    name = request.param
    if name in missing and os.environ.get("CI") == "true":
        pytest.fail(missing[name], pytrace=False)
    if name in missing:
        pytest.skip(missing[name])
    return lab.plan.engine_names.index(name)


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Iterator[Site]:
    with Site(lab, tmp_path) as site:
        yield site


@pytest.fixture
def target(lab: Lab, index: int, tmp_path: Path) -> Iterator[Target]:
    target = Target(lab, tmp_path, index)
    yield target
    target.clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What the names of the engines stood for this time."""
    for name, found in config.stash.get(VERSIONS, {}).items():
        terminalreporter.write_line(f"engine {name:16} {found}")
