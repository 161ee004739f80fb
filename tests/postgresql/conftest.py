# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count

import pytest

from .server import Server, missing

_numbers = count(1)


@pytest.fixture(scope="session")
def machine() -> None:
    """A machine that can run the server; anywhere else the tests are skipped, but a CI must be able to."""
    why = missing()
    if why and os.environ.get("CI") == "true":
        pytest.fail(why)
    if why:
        pytest.skip(why)


@pytest.fixture(scope="session")
def server(machine: None) -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def database(server: Server) -> str:
    """An empty database of this test's own."""
    name = f"test{next(_numbers)}"
    server.sql(f"CREATE DATABASE {name} TEMPLATE template0")
    return name


@pytest.fixture
def url(server: Server, database: str) -> str:
    return server.url(database)
