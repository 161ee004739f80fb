# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The light way to a host: our own code alone, run by the host's Python, and the module's result in the end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.plugins.action import ActionBase

from ansible_collections.selfheal.recovery.plugins.action import container_restart, service_health_info
from ansible_collections.selfheal.recovery.plugins.module_utils._carried import MARK
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import FakeEngine, RawServer, container, says
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.test_fence import fence_of

SCOPE = "production/web/web1"
AS_MODULE = {"changed": False, "said": "as a module"}


class Sent:
    """An action plugin on a host that is this machine; ``temporary`` is where that host has room."""

    def __init__(self, of, temporary, arguments, python=sys.executable, pipelining=True, family="sh", check_mode=False, noise=""):
        task = SimpleNamespace(args=arguments, async_val=0, check_mode=check_mode, diff=False, action="x", delegate_to=None)
        shell = SimpleNamespace(tmpdir=None, SHELL_FAMILY=family)
        connection = SimpleNamespace(_shell=shell, is_pipelining_enabled=lambda _asynchronous=False: pipelining)
        self.action = of.ActionModule(task, connection, SimpleNamespace(remote_addr="192.0.2.1"), None, SimpleNamespace(template=lambda text: text))
        self.action._execute_module = lambda **_asked: dict(AS_MODULE)
        self.action._early_needs_tmp_path = lambda: False
        self.action._compute_environment_string = lambda: f"TMPDIR={temporary}"
        self.action._low_level_execute_command = self._execute
        self.python, self.noise, self.commands = python, noise, []

    def _execute(self, command, sudoable, in_data):
        self.commands.append(command)
        done = subprocess.run(["/bin/sh", "-c", self.noise + command], input=in_data, capture_output=True, timeout=60, check=False)
        return {"rc": done.returncode, "stdout": done.stdout.decode(), "stderr": done.stderr.decode()}

    def run(self):
        return self.action.run(task_vars={"ansible_python_interpreter": self.python} if self.python else {})


@pytest.fixture
def engine(tmp_path):
    with FakeEngine(tmp_path / "docker.sock", container()) as engine:
        yield engine


@pytest.fixture
def host(tmp_path):
    (tmp_path / "tmp").mkdir()
    own = {"scope": SCOPE, "container": "web", "docker_host": str(tmp_path / "docker.sock"), "guard_dir": str(tmp_path / "guard")}
    return lambda of, noise="", check_mode=False, **given: Sent(of, tmp_path / "tmp", {**own, **given}, noise=noise, check_mode=check_mode)


def fence():
    """In force for ten minutes on this machine."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return fence_of(step=1, boot=boot, seconds=time.clock_gettime(time.CLOCK_BOOTTIME) + 600)


def test_measurement_is_the_modules_and_nothing_is_left_on_the_host(host, engine, tmp_path):
    sent = host(service_health_info, policy={"ladder": ["x"]}, session_id="s1")
    result = sent.run()
    expected = {"changed", "scope", "policy", "health", "observed", "stable", "waited_s", "unreachable_host"}
    assert (set(result), len(sent.commands)) == (expected, 1)
    assert (result["policy"], result["stable"], result["health"]["overall_status"]) == ({"ladder": ["x"]}, True, "healthy")
    assert result["observed"]["container"]["state"] == "running"
    assert list((tmp_path / "tmp").iterdir()) == []


def test_path_is_one_of_the_host(host, tmp_path):
    sent = host(service_health_info, guard_dir="~/guard")
    home = tmp_path / "home"
    (home / "guard").mkdir(parents=True)
    (home / "guard").chmod(0o777)
    sent.noise = f"export HOME={home}; "
    assert str(home / "guard") in sent.run()["observed"]["guard"]["error"]


def test_rung_acts_and_in_check_mode_predicts(host, engine):
    given = {"fence": fence(), "stable_window": 0}
    assert host(container_restart, check_mode=True, **given).run()["reason"] == "check_mode"
    assert engine.restarts == []
    assert host(container_restart, **given).run()["outcome"] == "recovered"
    assert len(engine.restarts) == 1


def test_result_is_found_among_what_a_login_says(host, engine):
    assert host(service_health_info, noise="echo Welcome; ").run()["stable"] is True


def test_secret_is_in_no_result(host, engine):
    """The service's own answer repeats it."""
    with RawServer(says(500, b"bad X-Token: canary-token")) as server:
        probe = {
            "kind": "http",
            "url": f"http://127.0.0.1:{server.port}/",
            "attempts": 1,
            "secret_headers": {"X-Token": "canary-token"},
            "name": "canary-token",
        }
        result = host(service_health_info, probes=[probe]).run()
        assert "canary-token" in server.requests[0][2]
    assert result["health"]["checks"][0]["status"] == "failed"
    assert "canary-token" not in json.dumps(result)


@pytest.mark.parametrize("given", [{"python": "auto"}, {"python": "auto_silent"}, {"pipelining": False}, {"family": "powershell"}])
def test_module_runs_as_any_other_where_the_light_way_is_not_to_be_had(tmp_path, given):
    sent = Sent(service_health_info, tmp_path, {"scope": SCOPE, "container": "web"}, **given)
    assert sent.run() == {**AS_MODULE, "policy": {}}
    assert sent.commands == []


def test_module_runs_as_any_other_when_its_files_are_to_be_kept(host, tmp_path, monkeypatch):
    """With ansible-core 2.21 the connection alone does not know."""
    monkeypatch.setattr(ActionBase, "_is_pipelining_enabled", lambda _action, style, wrap_async=False: False)
    assert Sent(service_health_info, tmp_path, {"scope": SCOPE, "container": "web"}).run() == {**AS_MODULE, "policy": {}}


@pytest.mark.parametrize(("python", "words"), [("/nowhere/python3", "/nowhere/python3"), ("/bin/false", "ended with status 1 and without a result")])
def test_interpreter_that_gives_no_result_is_unknown_with_its_last_words(tmp_path, python, words):
    sent = Sent(service_health_info, tmp_path, {"scope": SCOPE, "container": "web"}, python=python)
    health = sent.run()["health"]
    assert health["overall_status"] == "unknown"
    assert words in health["errors"][0]


def test_space_around_the_interpreters_name_is_no_part_of_it(host, engine):
    sent = host(service_health_info)
    sent.python = f" {sys.executable} "
    assert sent.run()["stable"] is True


@pytest.mark.parametrize("answer", ['{"changed": false, "health": {"overall_st', "", "[]", "null"])
def test_answer_that_is_cut_short_or_none_is_unknown(tmp_path, answer):
    """The host's process was killed while it spoke."""
    sent = Sent(service_health_info, tmp_path, {"scope": SCOPE, "container": "web"})
    sent.action._low_level_execute_command = lambda *_command, **_more: {"rc": 137, "stdout": f"\n{MARK}{answer}", "stderr": ""}
    health = sent.run()["health"]
    assert health["overall_status"] == "unknown"
    assert "ended with status 137 and without a result" in health["errors"][0]


def test_host_cannot_speak_as_ansible_itself(tmp_path):
    sent = Sent(service_health_info, tmp_path, {"scope": SCOPE, "container": "web"})
    told = {"changed": False, "health": {}, "add_host": {"host_name": "evil"}, "add_group": "recovery", "ansible_facts": {"a": 1}, "_ansible_no_log": False}
    sent.action._low_level_execute_command = lambda *_command, **_more: {"rc": 0, "stdout": f"{MARK}{json.dumps(told)}\n", "stderr": ""}
    assert sent.run() == {"changed": False, "health": {}, "policy": {}}


def test_no_room_is_needed_on_the_host(host, engine, tmp_path):
    """Also where the measuring is done by a second process."""
    (tmp_path / "tmp").rmdir()
    (tmp_path / "store").mkdir()
    result = host(service_health_info, probes=[{"kind": "storage", "path": str(tmp_path / "store")}]).run()
    assert [check["status"] for check in result["health"]["checks"]] == ["healthy"], result["health"]
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith("docker")) == ["store"]
