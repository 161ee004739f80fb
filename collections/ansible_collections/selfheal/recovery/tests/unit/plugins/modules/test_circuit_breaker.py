# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules `circuit_breaker` and `circuit_breaker_info`, each as Ansible runs it: normally, in check mode, and with a diff."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any, Callable

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.selfheal.recovery.plugins.modules import circuit_breaker, circuit_breaker_info
from ansible_collections.selfheal.recovery.tests.unit.plugins.place import KEY, Environment, Place, Service, instance, record

Call = Callable[..., "dict[str, Any]"]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in ("RECOVERY_DEFAULT_SCOPE", "SUDO_USER"):
        monkeypatch.delenv(name, raising=False)
    place = Place(tmp_path)
    monkeypatch.setenv("RECOVERY_STATE", place.url)
    return place


@pytest.fixture
def call(place: Place, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a module with options; the result it prints."""

    def run(module: ModuleType, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        assert place
        capsys.readouterr()
        with patch_module_args({**options, "_ansible_check_mode": check, "_ansible_diff": diff}), pytest.raises(SystemExit):
            module.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return run


CHANGES = (
    {"state": "open", "reason": "maintenance"},
    {"state": "open", "reason": "maintenance", "track": "deployment"},
    {"state": "closed"},
    {"state": "closed", "keep_failures": True},
    {"state": "checked"},
    {"state": "checked", "threshold": 2},
    {"state": "paused", "reason": "network work", "duration": "2h"},
    {"threshold": 7},
    {"deployment_threshold": 7, "reason": "careful"},
    {"threshold": 7, "deployment_threshold": 8, "state": "open", "reason": "x"},
)


def busy() -> Service:
    return Service(instances={"web1": instance(3, is_open=True, records=(record(),)), "web2": instance(3)})


@pytest.mark.parametrize("options", CHANGES)
def test_change_happens_once_and_then_nothing_changes(place: Place, call: Call, options: dict[str, Any]) -> None:
    place.fill(service=busy())
    first = call(circuit_breaker, diff=True, **options)
    assert first["changed"]
    assert first["scope"] == KEY
    assert first["diff"]["before"] != first["diff"]["after"] == first["status"]
    assert first["status"] == call(circuit_breaker_info)["status"]
    assert first["events"] == [event.to_json() for event in place.log()]
    again = call(circuit_breaker, diff=True, **options)
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]
    assert len(place.log()) == len(first["events"])


@pytest.mark.parametrize("options", CHANGES)
def test_check_mode_says_the_same_and_writes_nothing(place: Place, call: Call, options: dict[str, Any]) -> None:
    place.fill(service=busy())
    before = place.service()
    predicted = call(circuit_breaker, check=True, diff=True, **options)
    assert place.service() == before
    assert not place.log()
    happened = call(circuit_breaker, diff=True, **options)
    assert _without_times(predicted) == _without_times(happened)
    assert not call(circuit_breaker, check=True, **options)["changed"]


def _without_times(result: Any) -> Any:
    moments = ("timestamp", "opened_at", "paused")
    if isinstance(result, dict):
        return {name: name if name in moments and value else _without_times(value) for name, value in result.items() if name != "invocation"}
    return [_without_times(each) for each in result] if isinstance(result, list) else result


def test_checked_tells_what_it_opened(place: Place, call: Call) -> None:
    place.fill(service=busy())
    assert call(circuit_breaker, state="checked")["opened"] == [f"{KEY}/web2"]


def test_kept_failures_are_not_opened_by_checked(place: Place, call: Call) -> None:
    place.fill(service=busy())
    call(circuit_breaker, state="closed", keep_failures=True)
    call(circuit_breaker, state="checked")
    assert place.service().instance("web1").recovery.failure_count == 3
    assert not place.service().instance("web1").recovery.is_open


@pytest.mark.parametrize("scope", ["production", KEY, f"{KEY}/web1"])
def test_pause_and_resume_at_every_height(place: Place, call: Call, scope: str) -> None:
    place.fill(service=busy())
    paused = {"state": "paused", "scope": scope, "reason": "network work", "duration": "1h30m"}
    assert call(circuit_breaker, check=True, **paused)["changed"]
    first = call(circuit_breaker, diff=True, **paused)
    assert (first["changed"], first["diff"]["before"]["paused"]) == (True, None)
    assert "network work" in first["status"]["paused"]
    assert not call(circuit_breaker, **paused)["changed"]
    assert call(circuit_breaker, **{**paused, "reason": "longer"})["changed"]
    assert call(circuit_breaker, state="resumed", scope=scope)["status"]["paused"] is None
    assert not call(circuit_breaker, state="resumed", scope=scope)["changed"]


def test_several_changes_happen_together_or_not_at_all(place: Place, call: Call) -> None:
    place.fill(service=busy())
    assert call(circuit_breaker, state="open", threshold=7, reason="x" * 501)["failed"]
    assert call(circuit_breaker, threshold=7, deployment_threshold=0)["failed"]
    assert not place.log()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"state": "ajar"},
        {"state": "open"},
        {"state": "open", "reason": " "},
        {"state": "paused", "reason": "x"},
        {"state": "paused", "duration": "1h"},
        {"state": "paused", "duration": "25h", "reason": "x"},
        {"state": "paused", "duration": "1h", "reason": "x", "track": "recovery"},
        {"state": "paused", "duration": "1h", "reason": "x", "scope": "production", "threshold": 4},
        {"state": "closed", "scope": "production"},
        {"state": "closed", "store": ""},
        {"state": "open", "reason": "x", "scope": f"{KEY}/web1", "track": "deployment"},
        {"threshold": 0},
        {"threshold": 1001},
        {"threshold": 4, "scope": f"{KEY}/web1"},
    ],
)
def test_what_cannot_be_meant_fails_and_changes_nothing(place: Place, call: Call, options: dict[str, Any]) -> None:
    place.fill(service=busy())
    for check in (True, False):
        result = call(circuit_breaker, check=check, **options)
        assert result["failed"]
        assert result["msg"]
    assert not place.log()


def test_scope_has_to_be_named_when_there_is_no_only_one(place: Place, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call(circuit_breaker, state="open", reason="x")["reason"] == "bad_input"
    assert not call(circuit_breaker, state="checked")["changed"]
    place.fill()
    place.fill("staging/db")
    assert "production/web, staging/db" in call(circuit_breaker, state="closed")["msg"]
    assert "production/web, staging/db" in call(circuit_breaker_info)["msg"]
    monkeypatch.setenv("RECOVERY_DEFAULT_SCOPE", "staging/db")
    assert call(circuit_breaker_info)["scope"] == "staging/db"


def test_info_returns_everything_and_changes_nothing(place: Place, call: Call) -> None:
    place.fill(service=busy(), environment=Environment())
    call(circuit_breaker, state="open", reason="maintenance")
    for check in (True, False):
        result = call(circuit_breaker_info, check=check, diff=True)
        assert (result["changed"], result["known"], result["status"]["status"]) == (False, True, "open")
        assert [each["outcome"] for each in result["history"]] == ["failed"]
        assert [event["action"] for event in result["events"]] == ["opened", "opened"]
        assert result["status"].items() <= result["export"].items()
        assert result["export"]["threshold_status"]["any_threshold_exceeded"]
    assert len(call(circuit_breaker_info, limit=1)["events"]) == 1
    assert call(circuit_breaker_info, limit=0)["failed"]


def test_info_says_when_it_was_never_seen(place: Place, call: Call) -> None:
    result = call(circuit_breaker_info)
    assert (result["scope"], result["known"], result["status"]["status"]) == ("default/default", False, "closed")
    place.fill()
    assert not call(circuit_breaker_info, scope="production/wbe")["known"]


@pytest.mark.parametrize(("module", "options"), [(circuit_breaker, {"state": "checked"}), (circuit_breaker, {"state": "closed"}), (circuit_breaker_info, {})])
@pytest.mark.parametrize("check", [True, False])
def test_unreadable_state_fails_and_is_never_closed(place: Place, call: Call, module: ModuleType, options: dict[str, Any], check: bool) -> None:
    place.path.parent.mkdir()
    place.path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    result = call(module, check=check, **options)
    assert (result["failed"], result["reason"]) == (True, "state_unreadable")
    assert "status" not in result


@pytest.mark.parametrize("module", [circuit_breaker, circuit_breaker_info])
@pytest.mark.parametrize("by", ["option", "environment"])
def test_password_in_the_url_is_shown_nowhere(call: Call, monkeypatch: pytest.MonkeyPatch, module: ModuleType, by: str) -> None:
    url = "postgresql://guard:canary-7f3a@db.example/selfheal"
    options: dict[str, Any] = {"state": "closed"} if module is circuit_breaker else {}
    if by == "option":
        options["store"] = url
    else:
        monkeypatch.setenv("RECOVERY_STATE", url)
    result = call(module, **options)
    assert result["failed"]
    assert "canary-7f3a" not in json.dumps(result)


def test_option_stands_above_the_environment(place: Place, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    place.fill()
    monkeypatch.setenv("RECOVERY_STATE", "nonsense")
    assert call(circuit_breaker_info, store=place.url)["scope"] == KEY


@pytest.mark.parametrize("module", [circuit_breaker, circuit_breaker_info])
def test_documentation_and_argument_specification_agree(module: ModuleType) -> None:
    yaml = pytest.importorskip("yaml")
    documented = yaml.safe_load(module.DOCUMENTATION)["options"]
    specified = module.argument_spec()
    assert set(documented) == set(specified)
    for name, option in specified.items():
        assert documented[name].get("type") == option["type"]
        assert documented[name].get("default") == option.get("default")
        assert documented[name].get("choices") == option.get("choices")
