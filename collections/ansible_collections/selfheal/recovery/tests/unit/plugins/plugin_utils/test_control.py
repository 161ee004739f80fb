# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate and the report run inside Ansible on the control node, and as modules everywhere else."""

from __future__ import annotations

import datetime
import os
import sys
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.selfheal.recovery.plugins.action import recovery_report, recovery_session
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import RecoveryError

NOTHING = {"instances": {}, "sessions": {}, "breakers": {}}
ELSEWHERE = {"changed": False, "said": "elsewhere"}


def plugin(of, arguments, *, check_mode=False, transport="local", become=None, delegate_to="localhost", environment=None):
    task = SimpleNamespace(args=arguments, async_val=0, check_mode=check_mode, action="x", delegate_to=delegate_to, environment=environment)
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), transport=transport, become=become)
    templar = SimpleNamespace(template=lambda text: sys.executable if text == "{{ ansible_playbook_python }}" else text)
    loader = SimpleNamespace(get_basedir=os.getcwd)
    action = of.ActionModule(task, connection, SimpleNamespace(remote_addr="x"), loader, templar)
    action.asked = []
    action._execute_module = lambda **asked: action.asked.append(asked) or dict(ELSEWHERE)
    action._early_needs_tmp_path = lambda: False
    return action


@pytest.fixture
def begun(tmp_path):
    return {"state": "begun", "store": f"sqlite:///{tmp_path}/state.db", "results": {}}


@pytest.mark.parametrize("interpreter", [None, "", sys.executable, "{{ ansible_playbook_python }}"])
def test_gate_answers_inside_ansible_on_the_control_node(begun, interpreter):
    action = plugin(recovery_session, begun)
    result = action.run(task_vars={"ansible_delegated_vars": {"localhost": {"ansible_python_interpreter": interpreter}}})
    assert (result["changed"], result["instances"], action.asked) == (False, {}, [])


@pytest.mark.parametrize(
    "given",
    [
        {"transport": "ssh", "delegate_to": "state.example.org"},
        {"become": object()},
        {"environment": [{"RECOVERY_STATE": "sqlite:///elsewhere.db"}]},
    ],
)
def test_gate_is_a_module_where_the_task_asks_for_something_else(begun, given):
    action = plugin(recovery_session, begun, **given)
    assert action.run(task_vars={}) == ELSEWHERE
    assert [asked["module_name"] for asked in action.asked] == ["selfheal.recovery.recovery_session"]


@pytest.mark.parametrize("delegated", [True, False])
def test_gate_is_a_module_under_another_interpreter(begun, delegated):
    other = {"ansible_python_interpreter": "/opt/other/python3"}
    task_vars = {"ansible_delegated_vars": {"localhost": other}, "ansible_python_interpreter": sys.executable} if delegated else other
    action = plugin(recovery_session, begun, delegate_to="localhost" if delegated else None)
    assert action.run(task_vars=task_vars) == ELSEWHERE


@pytest.mark.parametrize("wrong", [{"state": "ended"}, {"results": None}, {"state": "settled"}, {"state": "advanced", "decision": {}}, {"unknown": 1}])
def test_arguments_that_cannot_be_meant_fail(begun, wrong):
    with pytest.raises(AnsibleActionFail):
        plugin(recovery_session, {**begun, **wrong}).run(task_vars={})


def test_failure_carries_its_reason(begun):
    with pytest.raises(AnsibleActionFail) as caught:
        plugin(recovery_session, {**begun, "state": "settled"}).run(task_vars={})
    assert caught.value.result["reason"] == "bad_input"


def test_relative_path_begins_at_the_playbook_as_in_a_module(tmp_path, monkeypatch):
    """Else the gate would not see the breaker that the module circuit_breaker opened."""
    (tmp_path / "playbooks").mkdir()
    monkeypatch.chdir(tmp_path)
    action = plugin(recovery_report, {"dest": "reports", "decision": NOTHING})
    action._loader.get_basedir = lambda: str(tmp_path / "playbooks")
    action.run(task_vars={})
    assert [path.name for path in (tmp_path / "playbooks").iterdir()] == ["reports"]


def test_secret_option_is_neither_in_results_nor_in_failures(begun, monkeypatch):
    secret = begun["store"]
    action = plugin(recovery_session, begun)
    monkeypatch.setattr(action, "answer", lambda _params, _check_mode: {"changed": False, "detail": f"nobody answers at {secret}"})
    assert action.run(task_vars={})["detail"] == "nobody answers at ********"

    def fail(_params, _check_mode):
        raise RecoveryError(f"nobody answers at {secret}")

    monkeypatch.setattr(action, "answer", fail)
    with pytest.raises(AnsibleActionFail) as caught:
        action.run(task_vars={})
    assert secret not in str(caught.value)


def test_report_is_written_and_in_check_mode_is_not(tmp_path):
    arguments = {"dest": str(tmp_path / "reports"), "decision": NOTHING}
    assert plugin(recovery_report, arguments, check_mode=True).run(task_vars={})["path"] == ""
    assert not (tmp_path / "reports").exists()
    result = plugin(recovery_report, arguments).run(task_vars={})
    assert (result["changed"], (tmp_path / "reports").is_dir()) == (True, True)


def test_what_ansible_hands_over_arrives_as_plain_values(tmp_path):
    class Wrapped(str):
        """As Ansible marks where a text comes from."""

    inputs = {"health_status": Wrapped("unknown"), "since": datetime.date(2026, 11, 23)}
    result = plugin(recovery_report, {"dest": str(tmp_path), "decision": NOTHING, "inputs": inputs}).run(task_vars={})
    assert '"since": "2026-11-23"' in (next(tmp_path.glob("run-*")) / "result.json").read_text()
    assert result["headline"].__class__ is str
