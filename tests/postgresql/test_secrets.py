# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A password of the URL or of the environment is never shown: not at `-vvv`, not in errors, not by the libraries."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import StateError
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store

from .server import Server

pytestmark = pytest.mark.postgresql

CHECKOUT = Path(__file__).resolve().parents[2]
RIGHT, WRONG = "CANARY-right-CANARY", "CANARY-wrong-CANARY"


@pytest.fixture
def role(server: Server, database: str) -> str:
    name = f"own_{database}"
    server.sql(f"CREATE ROLE {name} LOGIN PASSWORD '{RIGHT}'")
    server.sql(f"GRANT CREATE ON DATABASE {database} TO {name}")
    return name


def played(directory: Path, url: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A play at `-vvv` that hands the URL to each kind of plugin: a module in its own interpreter, and the gate in Ansible's."""
    health = {"timestamp": "2026-01-01T00:00:00Z", "session_id": "", "scope": "e/s/i", "host": "h", "overall_status": "unknown"}
    measured = {"health": {**health, "checks": [], "errors": [], "warnings": []}}
    tasks = [
        {"selfheal.recovery.circuit_breaker": {"state": "opened", "store": url, "scope": "env/web", "reason": "a test"}, "ignore_errors": True},
        {"selfheal.recovery.circuit_breaker_info": {"store": url, "scope": "env/web"}, "ignore_errors": True},
        {"selfheal.recovery.recovery_session": {"state": "begun", "store": url, "results": {"i": measured}}, "register": "told", "ignore_errors": True},
        {"ansible.builtin.debug": {"var": "told"}},
    ]
    playbook = directory / "play.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "RECOVERY_", "PG"))}
    own = {"ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"), "ANSIBLE_HOME": str(directory / "home"), "ANSIBLE_LOCALHOST_WARNING": "False"}
    argv: list[str | Path] = [
        Path(sys.prefix, "bin", "ansible-playbook"),
        "-i",
        "localhost,",
        "-c",
        "local",
        "-e",
        f"ansible_python_interpreter={sys.executable}",
        "-vvv",
        playbook,
    ]
    return subprocess.run(argv, env={**kept, **own, **env}, cwd=directory, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("password", [RIGHT, WRONG])
def test_password_of_the_url_is_in_nothing_that_a_play_says_at_vvv(server: Server, database: str, role: str, tmp_path: Path, password: str) -> None:
    done = played(tmp_path, server.url(database, user=role, password=password))
    said = done.stdout + done.stderr
    assert "CANARY" not in said, said
    assert ("password authentication failed" in said) == (password == WRONG), said
    assert server.sql("SELECT to_regclass('selfheal.events') IS NOT NULL", database) == [(password == RIGHT,)]


def test_password_of_the_environment_is_in_nothing_that_a_play_says_at_vvv(server: Server, database: str, role: str, tmp_path: Path) -> None:
    bare = server.url(database, user=role, password=WRONG).replace(f":{WRONG}@", "@")
    done = played(tmp_path, bare, PGPASSWORD=WRONG)
    assert "password authentication failed" in done.stdout + done.stderr
    assert "CANARY" not in done.stdout + done.stderr


def test_no_exception_and_no_log_of_the_libraries_shows_it(server: Server, database: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for url in (server.url(database, password=WRONG), server.url(database, password=WRONG, sslpassword=WRONG, host="127.0.0.1:1")):
        store = open_store(url, 3.0)
        with pytest.raises(StateError) as caught:
            store.read([])
        assert "CANARY" not in "".join(traceback.format_exception(caught.value))
        assert "CANARY" not in repr(vars(store))
    assert "CANARY" not in caplog.text
