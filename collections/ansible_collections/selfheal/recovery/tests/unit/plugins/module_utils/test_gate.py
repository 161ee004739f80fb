# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gate on a real embedded store."""

from __future__ import annotations

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.gate import Gate
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.verdict import Check, Health

KEY = "production/web"


def result(name="web1", status="unhealthy", key=KEY, **policy):
    """What service_health_info returns for one instance."""
    checks = () if status == "unknown" else (Check("http", "http", "failed" if status == "unhealthy" else "healthy", critical=True, message="503"),)
    health = Health("2026-01-01T00:00:00Z", "", f"{key}/{name}", "host", status, checks)
    observed = {"container": {"state": "running"}, "clock": {"boot_id": "b", "seconds": 50.0}, "guard": {"store_id": ""}, "starting": False}
    return {"health": health.to_json(), "observed": observed, "policy": policy, "unreachable_host": False}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'state' / 'state.db'}"


def gate(url, **more):
    return Gate(lambda: open_store(url), "ada@control", **more)


def recovered(decision, name="web1", **more):
    told = decision["instances"][name]
    return {name: {"outcome": "recovered", "mutated": True, "step": told["fence"]["step"], **more}}


def test_admitted_instance_is_handed_its_step_role_and_fence(url):
    decision = gate(url).begun({"web1": result()}, [], {})
    told = decision["instances"]["web1"]
    assert (told["action"], told["step"], told["role"]) == ("repair", "container_restart", "selfheal.recovery.container_restart")
    assert told["fence"]["store_id"] == decision["store_id"] and told["fence"]["not_after"] == {"boot_id": "b", "seconds": 650.0}
    assert decision["sessions"] == {KEY: told["session_id"]}


def test_sites_own_rung_is_called_by_its_own_name(url):
    decision = gate(url).begun({"web1": result(ladder=["acme.ops.fix"])}, [], {})
    assert decision["instances"]["web1"]["role"] == "acme.ops.fix"


def test_settled_session_gives_its_lease_back(url):
    decision = gate(url).begun({"web1": result()}, [], {})
    settled = gate(url).settled(decision, recovered(decision))
    assert settled["instances"]["web1"]["outcome"] == "recovered"
    again = gate(url).begun({"web1": result(status="healthy")}, [], {})
    assert again["instances"]["web1"]["reason"] == "not_sick" and again["breakers"][KEY]["session"] is None


def test_breakers_of_services_without_a_session_stay_in_the_decision(url):
    decision = gate(url).begun({"web1": result(), "db1": result("db1", "healthy", "production/db")}, [], {})
    assert set(gate(url).settled(decision, recovered(decision))["breakers"]) == {KEY, "production/db"}


def test_failed_step_is_followed_by_the_next_one(url):
    decision = gate(url).begun({"web1": result()}, [], {})
    told = {"web1": {"outcome": "failed", "mutated": True, "step": 0}}
    decision = gate(url).advanced(decision, told)
    assert decision["instances"]["web1"]["step"] == "cache_clear" and decision["instances"]["web1"]["fence"]["step"] == 1


def test_result_of_an_earlier_step_is_not_taken_for_the_one_that_ran(url):
    decision = gate(url).begun({"web1": result()}, [], {})
    stale = {"web1": {"outcome": "failed", "mutated": True, "step": 0}}
    decision = gate(url).advanced(decision, stale)
    decision = gate(url).advanced(decision, stale)
    assert decision["instances"]["web1"]["step"] == ""
    settled = gate(url).settled(decision, stale)
    assert settled["instances"]["web1"]["reason"] == "no_answer"


def test_rung_that_says_nothing_readable_counts_as_failed(url):
    decision = gate(url).begun({"web1": result(ladder=["acme.ops.fix"])}, [], {})
    gate(url).settled(decision, {"web1": {"msg": "boom", "failed": True}})
    assert gate(url).begun({"web1": result()}, [], {})["breakers"][KEY]["recovery_failure_count"] == 1


def test_plan_is_the_decision_and_writes_nothing(url):
    gate(url).begun({"web1": result(status="healthy")}, [], {})
    before = open_store(url).read([KEY, "production"]).documents
    plan = gate(url, dry_run=True).begun({"web1": result(), "web2": result("web2", "healthy")}, [], {})
    assert plan["sessions"] == {} and open_store(url).read([KEY, "production"]).documents == before
    assert plan["instances"]["web1"]["detail"].startswith("would run container_restart")
    assert (plan["instances"]["web1"]["step"], plan["instances"]["web1"]["role"]) == ("", "")
    real = gate(url).begun({"web1": result(), "web2": result("web2", "healthy")}, [], {})
    assert {name: told["action"] for name, told in plan["instances"].items()} == {name: told["action"] for name, told in real["instances"].items()}


def test_unreadable_state_refuses_every_instance(url, tmp_path):
    """lesson 19."""
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "state" / "state.db").write_bytes(b"not a database, and long enough to be looked at" * 50)
    decision = gate(url).begun({"web1": result(), "web2": result("web2", "healthy")}, [], {})
    assert {told["reason"] for told in decision["instances"].values()} == {"state_unreadable"}
    assert not decision["sessions"] and not any(told["role"] for told in decision["instances"].values())


def test_state_lost_during_a_run_ends_it_without_another_step(url, tmp_path):
    decision = gate(url).begun({"web1": result()}, [], {})
    for path in (tmp_path / "state").iterdir():
        path.unlink() if path.suffix != ".db" else path.write_bytes(b"garbage" * 1000)
    told = {"web1": {"outcome": "failed", "mutated": True, "step": 0}}
    for after in (gate(url).advanced(decision, told), gate(url).settled(decision, told)):
        assert after["instances"]["web1"]["outcome"] == "internal_error"
        assert after["instances"]["web1"]["role"] == ""


def test_instance_without_a_measurement_does_not_keep_the_others_from_theirs(url):
    decision = gate(url).begun({"web1": {"failed": True, "msg": "unknown kind"}, "web2": result("web2")}, [], {})
    assert decision["instances"]["web1"]["outcome"] == "internal_error" and decision["instances"]["web1"]["detail"] == "unknown kind"
    assert decision["instances"]["web2"]["role"]


def test_bad_inputs_are_refused_before_anything_is_read(url, tmp_path):
    with pytest.raises(BadInput, match="recovery_reason"):
        gate(url).begun({"web1": result()}, [], {"recovery_reason": "{{ 1 }}"})
    assert not (tmp_path / "state").exists()


def test_place_in_the_environment_is_stored_and_given_back(url):
    decision = gate(url).begun({"web1": result()}, [], {})
    assert list(open_store(url).read(["production"]).documents["production"]["sessions"]) == list(decision["sessions"].values())
    gate(url).settled(decision, recovered(decision))
    assert not open_store(url).read(["production"]).documents["production"]["sessions"]


def test_malformed_name_elsewhere_in_the_inventory_keeps_nobody_from_repair(url):
    assert gate(url).begun({"web1": result()}, ["production/we\nb/x", "nonsense"], {})["instances"]["web1"]["role"]


def test_services_of_one_run_have_a_session_each(url):
    decision = gate(url).begun({"web1": result(), "db1": result("db1", key="production/db")}, [], {})
    assert set(decision["sessions"]) == {KEY, "production/db"} and len(set(decision["sessions"].values())) == 2


def test_nothing_measured_decides_nothing(url):
    assert gate(url).begun({}, [], {})["instances"] == {}
