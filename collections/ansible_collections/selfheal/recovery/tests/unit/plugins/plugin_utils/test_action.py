# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A host that cannot be asked is a fact; arguments that cannot be meant are a failure."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from ansible._internal._errors._task_timeout import TaskTimeoutError
from ansible.errors import AnsibleActionFail, AnsibleAuthenticationFailure, AnsibleConnectionFailure, AnsibleError

from ansible_collections.selfheal.recovery.plugins.action import container_restart, service_health_info
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.test_fence import fence_of

SCOPE = "production/web/web1"


def plugin(of, answer, check_mode=False, **arguments):
    """An action plugin whose module answers with ``answer``, or raises it."""
    task = SimpleNamespace(args=arguments, async_val=0, check_mode=check_mode, action="x", delegate_to=None)
    shell = SimpleNamespace(tmpdir=None, SHELL_FAMILY="sh")
    connection = SimpleNamespace(_shell=shell, is_pipelining_enabled=lambda _asynchronous=False: False)
    action = of.ActionModule(task, connection, SimpleNamespace(remote_addr="192.0.2.1"), None, None)
    action.sent = []

    def execute(module_name, module_args, task_vars):
        action.sent.append((module_name, module_args))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    action._execute_module = execute
    action._early_needs_tmp_path = lambda: False
    return action


def measure(answer, **arguments):
    return plugin(service_health_info, answer, **{"scope": SCOPE, "container": "web", **arguments}).run(task_vars={})


def restart(answer, check_mode=False, **arguments):
    given = {"scope": SCOPE, "container": "web", "fence": fence_of(step=1), **arguments}
    return plugin(container_restart, answer, check_mode, **given).run(task_vars={})


def test_policy_stays_at_home_and_comes_with_the_result():
    action = plugin(service_health_info, {"changed": False, "policy": {}, "health": {}}, scope=SCOPE, container="web", policy={"ladder": ["x"]})
    result = action.run(task_vars={})
    assert action.sent == [("selfheal.recovery.service_health_info", {"scope": SCOPE, "container": "web"})]
    assert result == {"changed": False, "policy": {"ladder": ["x"]}, "health": {}}


@pytest.mark.parametrize("error", [AnsibleConnectionFailure("no route"), AnsibleAuthenticationFailure("no key")])
def test_unreachable_host_has_the_verdict_unknown(error):
    result = measure(error, session_id="s1", policy={"a": 1})
    health = result.pop("health")
    assert result == {
        "changed": False,
        "scope": SCOPE,
        "policy": {"a": 1},
        "observed": {},
        "stable": False,
        "waited_s": 0.0,
        "unreachable_host": True,
    }
    assert (health["overall_status"], health["scope"], health["session_id"], health["host"]) == ("unknown", SCOPE, "s1", "192.0.2.1")
    assert health["errors"] == [f"the host is unreachable: {error}"]
    assert set(health) == {"timestamp", "session_id", "scope", "host", "overall_status", "checks", "errors", "warnings"}


def test_unreachable_result_of_the_module_is_unreachable_too():
    result = measure({"unreachable": True, "msg": "gone"})
    assert (result["unreachable_host"], "unreachable" in result, "failed" in result) == (True, False, False)


CRASH = {
    "failed": True,
    "msg": "Module result deserialization failed.",
    "module_stderr": "Traceback (most recent call last):\n  File x\nImportError: no such thing\n",
    "module_stdout": "",
    "rc": 1,
    "exception": "…",
}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (CRASH, "Module result deserialization failed.: ImportError: no such thing"),
        ({"failed": True, "msg": "The module interpreter '/nowhere' was not found.", "module_stderr": "sh: /nowhere: not found"}, "interpreter '/nowhere'"),
        ({"failed": True, "msg": "boom", "reason": "internal_error"}, "boom"),
        (TaskTimeoutError(7), "the task was ended by its timeout: Timed out after 7 second(s)."),
    ],
)
def test_module_that_cannot_run_is_unknown_but_reachable(answer, words):
    result = measure(answer)
    assert (result["health"]["overall_status"], result["unreachable_host"], "failed" in result, "exception" in result) == ("unknown", False, False, False)
    assert result["health"]["errors"][0].startswith("the host could not be measured: ")
    assert words in result["health"]["errors"][0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scope": "web1"},
        {"container": None},
        {"unknown": 1},
        {"probes": [{"kind": "ping"}]},
        {"probes": [{"kind": "tcp"}]},
        {"docker_host": "tcp://x"},
        {"probes": "x=y"},
    ],
)
def test_arguments_that_cannot_be_meant_fail_before_any_host_is_asked(wrong):
    action = plugin(service_health_info, AnsibleConnectionFailure("not asked"), **{"scope": SCOPE, "container": "web", **wrong})
    with pytest.raises(AnsibleActionFail):
        action.run(task_vars={})
    assert action.sent == []


def test_reason_of_bad_arguments_is_in_the_result():
    with pytest.raises(AnsibleActionFail) as caught:
        measure({}, scope="web1")
    assert caught.value._result["reason"] == "bad_input"


def test_bad_input_found_on_the_host_fails_there():
    answer = {"failed": True, "msg": "x", "reason": "bad_input"}
    assert measure(answer) == answer


@pytest.mark.parametrize("error", [AnsibleError("template"), KeyboardInterrupt(), SystemExit(1), RuntimeError("bug")])
def test_faults_of_this_side_are_not_taken_for_the_hosts(error):
    with pytest.raises(type(error)):
        measure(error)


class TestWords:
    def test_chatter_of_ssh_is_left_out(self):
        said = "Warning: Permanently added 'x'\nOpenSSH_9.2p1\ndebug1: Reading configuration\nssh: connect to host x port 22: Connection refused"
        assert measure(AnsibleConnectionFailure(said))["health"]["errors"] == ["the host is unreachable: ssh: connect to host x port 22: Connection refused"]

    def test_they_are_bounded(self):
        assert len(measure(AnsibleConnectionFailure("x" * 10_000))["health"]["errors"][0]) < 500

    def test_secret_headers_are_hidden(self):
        probes = [{"kind": "http", "url": "http://ada:pw@x/", "secret_headers": {"X-Token": "canary-token"}}]
        crash = {**CRASH, "module_stderr": "ValueError: canary-token and http://ada:pw@x/"}
        text = json.dumps(measure(crash, probes=probes))
        assert "canary-token" not in text
        assert "ada:pw" not in text


class TestRestart:
    def test_unreachable_host_may_have_restarted_it(self):
        result = restart(AnsibleConnectionFailure("gone"))
        assert (result["outcome"], result["reason"], result["mutated"], result["changed"]) == ("unreachable", "unreachable", True, True)
        assert (result["scope"], result["rung"], result["step"], result["detail"]) == (SCOPE, "container_restart", 1, "gone")
        assert set(result) == {
            "changed",
            "scope",
            "rung",
            "step",
            "outcome",
            "reason",
            "detail",
            "mutated",
            "health",
            "observed",
            "evidence",
            "waited_s",
            "unfinished",
        }

    @pytest.mark.parametrize(("answer", "reason"), [(CRASH, "module_failed"), (TaskTimeoutError(7), "task_timeout")])
    def test_crash_may_have_restarted_it(self, answer, reason):
        result = restart(answer)
        assert (result["outcome"], result["reason"], result["mutated"]) == ("failed", reason, True)

    def test_nothing_is_changed_by_a_prediction(self):
        result = restart(AnsibleConnectionFailure("gone"), check_mode=True)
        assert (result["outcome"], result["mutated"], result["changed"]) == ("unreachable", False, False)

    def test_result_of_the_module_is_left_as_it_is(self):
        answer = {"changed": True, "outcome": "failed", "reason": "not_verified"}
        assert restart(answer) == answer

    @pytest.mark.parametrize("fence", [None, {}, fence_of(scope="production/web/web2"), fence_of(store="x")])
    def test_fence_that_cannot_be_meant_fails(self, fence):
        with pytest.raises(AnsibleActionFail):
            restart({}, fence=fence)


def test_host_that_is_gone_when_tidying_up_does_not_lose_the_result(monkeypatch):
    action = plugin(service_health_info, {}, scope=SCOPE, container="web")

    def gone(_path):
        raise AnsibleConnectionFailure("gone")

    monkeypatch.setattr(action, "_remove_tmp_path", gone)
    action.cleanup()
