# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decisions and sessions, behaviour by behaviour."""

from __future__ import annotations

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._domain import operator as person
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.decide import PATIENT
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.inputs import Inputs
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.policy import Policy
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.scope import Scope
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.state import StateUnreadable, service_from_json
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.status import status
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.paper import KEY, Paper, always, never, sessions_of, step_result

MINUTE = 60
HOUR = 60 * MINUTE


def order(paper, scope=KEY, **more):
    return person.Order(paper.now, Scope.parse(scope), "ada", **{"reason": "a good reason", **more})


def fleet(count, key=KEY):
    return tuple(Scope.parse(f"{key}/web{number}") for number in range(1, count + 1))


def fail_until_open(paper):
    while not paper.instance().recovery.is_open:
        paper.monitor("unhealthy")
        paper.wait(2 * HOUR)


def test_healthy_instance_is_left_alone():
    answer = Paper().monitor("healthy")
    assert (answer.action, answer.reason, answer.outcome) == ("none", "not_sick", "none")


def test_claimed_sickness_decides_nothing():
    answer = Paper().monitor("healthy", inputs=Inputs(health_status="unhealthy", recovery_reason="service_unavailable"))
    assert answer.reason == "not_sick"


def test_sick_instance_is_repaired_and_recovery_is_provisional():
    paper = Paper()
    answer = paper.monitor("unhealthy", always)
    assert (answer.outcome, answer.reason, answer.rung) == ("recovered", "health_check_failed", "container_restart")
    assert paper.instance().provisional is not None
    assert paper.service().session is None and not paper.environment().sessions


def test_recovery_is_proven_by_a_healthy_sample_after_half_an_hour():
    paper = Paper()
    paper.monitor("unhealthy")
    paper.wait(10 * MINUTE)
    paper.monitor("unhealthy", always)
    assert paper.instance().recovery.failure_count == 1
    paper.wait(29 * MINUTE)
    paper.monitor("healthy")
    assert paper.instance().recovery.failure_count == 1
    paper.wait(MINUTE)
    paper.monitor("healthy")
    assert paper.instance().recovery.failure_count == 0
    assert [record.outcome for record in paper.instance().records] == ["failed", "proven"]


def test_relapse_before_proof_is_one_failure():
    """lessons 27 and 43: healthy for a second, or for a minute, does not reset the budget."""
    paper = Paper()
    paper.monitor("unhealthy", always)
    paper.wait(5 * MINUTE)
    answer = paper.monitor("unhealthy", always)
    assert answer.reason == "cooling_down"
    assert paper.instance().recovery.failure_count == 1
    assert [record.outcome for record in paper.instance().records] == ["relapsed"]


def test_flapping_service_that_passes_every_stable_window_opens_the_breaker():
    """lesson 43: a service that dies a minute after each repair."""
    paper = Paper()
    for _cycle in range(60):
        paper.monitor("unhealthy", always)
        paper.wait(5 * MINUTE)
    assert paper.instance().recovery.is_open
    assert len(paper.instance().records) == 3


def test_the_write_that_reaches_the_threshold_opens_the_track():
    """lesson 21."""
    paper = Paper()
    for failures in (1, 2, 3):
        answer = paper.monitor("unhealthy")
        assert paper.instance().recovery.is_open == (failures == 3)
        paper.wait(2 * HOUR)
    assert "recovery breaker is open" in answer.detail
    assert paper.monitor("unhealthy").reason == "breaker_open"


def test_open_breaker_names_the_command_that_closes_it():
    paper = Paper()
    fail_until_open(paper)
    answer = paper.monitor("unhealthy")
    assert answer.outcome == "refused"
    assert "selfheal breaker close --scope production/web/web1" in answer.detail


def test_force_does_not_pass_an_open_breaker_or_unknown():
    paper = Paper()
    fail_until_open(paper)
    forced = Inputs(recovery_reason="manually_forced")
    assert paper.monitor("healthy", inputs=forced).reason == "breaker_open"
    assert Paper().monitor("unknown", inputs=forced).reason == "unknown"


def test_force_runs_the_first_rung_on_a_healthy_instance():
    rungs = []
    Paper().monitor("healthy", lambda _name, rung: rungs.append(rung) or "failed", inputs=Inputs(recovery_reason="manually_forced"))
    assert rungs == ["container_restart"]


def test_refused_run_and_not_started_attempt_do_not_count():
    """lesson 22."""
    paper = Paper()
    paper.monitor("unhealthy", lambda _name, _rung: "refused")
    assert paper.instance().recovery.failure_count == 0 and not paper.instance().records
    paper.monitor("unhealthy", lambda _name, _rung: "not_started")
    assert paper.instance().recovery.failure_count == 0
    paper.monitor("unhealthy")
    for _run in range(5):
        assert paper.monitor("unhealthy").reason == "cooling_down"
    assert paper.instance().recovery.failure_count == 1


def test_unknown_is_never_healthy_and_never_counts():
    """lesson 32."""
    paper = Paper()
    paper.monitor("unhealthy", always)
    paper.wait(31 * MINUTE)
    answer = paper.monitor("unknown")
    assert answer.outcome == "escalated" and answer.reason == "unknown"
    assert paper.instance().provisional is not None and paper.instance().recovery.failure_count == 0


def test_unreachable_is_a_verdict_of_its_own():
    paper = Paper()
    answer = paper.run(paper.see("web1", "unknown", unreachable=True, detail="no route"))["web1"]
    assert (answer.outcome, answer.reason, answer.detail) == ("unreachable", "unreachable", "no route")


def test_starting_instance_is_left_alone_until_twice_its_grace():
    paper = Paper()
    starting = {"starting": True, "start_period_s": 120}
    assert paper.run(paper.see("web1", "unknown", **starting))["web1"].reason == "starting"
    paper.wait(240)
    assert paper.run(paper.see("web1", "unknown", **starting))["web1"].reason == "starting"
    paper.wait(1)
    answer = paper.run(paper.see("web1", "unknown", **starting))["web1"]
    assert (answer.outcome, answer.reason) == ("escalated", "starting_too_long")


def test_what_no_rung_can_cure_is_reported_and_never_acted_on():
    """lesson 46."""
    paper = Paper()
    answer = paper.run(paper.see("web1", "degraded", ladder="healthy"))["web1"]
    assert (answer.outcome, answer.reason) == ("escalated", "report_only")
    assert paper.run(paper.see("web1", "unhealthy", ladder="healthy"))["web1"].reason == "report_only"


def test_persistent_degradation_restarts_only_and_only_while_another_serves():
    paper, rungs = Paper(), []
    for _run in range(3):
        answers = paper.run(
            paper.see("web1", "degraded"), paper.see("web2", "healthy"), cure=lambda _name, rung: rungs.append(rung) or "failed", fleet=fleet(2)
        )
        paper.wait(5 * MINUTE)
    assert answers["web1"].session_id and rungs == ["container_restart"]
    alone = Paper()
    reasons = [alone.monitor("degraded").reason for _run in range(3)]
    assert reasons == ["degraded_watching", "degraded_watching", "last_serving_instance"]


def test_every_rung_is_tried_in_order_and_the_first_that_cures_ends_it():
    paper, rungs = Paper(), []

    def cure(_name, rung):
        rungs.append(rung)
        return "recovered" if rung == "cache_clear" else "failed"

    assert paper.monitor("unhealthy", cure).outcome == "recovered"
    assert rungs == ["container_restart", "cache_clear"]


def test_rung_that_cannot_start_does_not_end_the_ladder():
    """lesson 9."""
    outcomes = {"container_restart": "not_started", "cache_clear": "failed", "network_reset": "recovered"}
    paper = Paper()
    assert paper.monitor("unhealthy", lambda _name, rung: outcomes[rung]).rung == "network_reset"


def test_skipping_the_ladder_hands_over_to_redeployment_and_says_none_is_configured():
    answer = Paper().monitor("unhealthy", inputs=Inputs(skip_recovery_actions=True))
    assert (answer.outcome, answer.reason) == ("escalated", "no_candidate")


def test_paused_container_is_reported_and_left_alone():
    """lesson 7."""
    paper = Paper()
    assert paper.run(paper.see("web1", "unhealthy", container_state="paused"))["web1"].reason == "container_paused"


def test_second_run_is_told_who_holds_the_lease_and_until_when():
    paper = Paper()
    first = paper.begin(paper.see("web1", "unhealthy"), holder="ada@control:1")
    second = paper.begin(paper.see("web1", "unhealthy"), holder="bob@control:2")
    assert second["web1"].reason == "lease_held" and second["web1"].reason in PATIENT
    assert "ada@control:1" in second["web1"].detail and "2026-01-01T00:10:00" in second["web1"].detail
    assert first["web1"].fence["token"] == 1


def test_killed_run_is_settled_as_failure_once_by_whoever_comes_after_its_lease():
    """lesson 24: a lock without expiry; contract: take-over 30 s after expiry."""
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy"))
    paper.wait(10 * MINUTE + 29)
    assert paper.monitor("unhealthy").reason == "lease_held"
    paper.wait(1)
    assert paper.monitor("unhealthy").reason == "cooling_down"
    assert paper.instance().recovery.failure_count == 1
    late = paper.settle(sessions_of(begun), {"web1": step_result(begun["web1"], "recovered")})
    assert late["web1"].outcome == "escalated" and "settled before" in late["web1"].detail
    assert paper.instance().recovery.failure_count == 1
    assert [record.outcome for record in paper.instance().records] == ["failed"]


def test_settling_twice_counts_once():
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy"))
    results = {"web1": step_result(begun["web1"], "failed")}
    for _time in range(3):
        paper.settle(sessions_of(begun), results)
    assert paper.instance().recovery.failure_count == 1


def test_fencing_token_grows_with_each_admission():
    paper, tokens = Paper(), []
    for _run in range(3):
        begun = paper.begin(paper.see("web1", "unhealthy"))
        tokens.append(begun["web1"].fence["token"])
        paper.settle(sessions_of(begun), {"web1": step_result(begun["web1"], "refused")})
    assert tokens == [1, 2, 3]


def test_holder_that_wakes_up_after_its_lease_gets_no_further_step():
    """lesson 24."""
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy"))
    paper.wait(11 * MINUTE)
    answers = paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "failed")})
    assert answers["web1"].reason == "lease_expired" and not answers["web1"].next.rung


def test_lease_is_renewed_before_every_rung():
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy"))
    paper.wait(9 * MINUTE)
    answers = paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "failed")})
    assert answers["web1"].next.rung == "cache_clear"
    assert answers["web1"].fence["not_after"] == {"boot_id": "b", "seconds": 100 + 19 * 60}
    paper.wait(9 * MINUTE)
    assert paper.monitor("unhealthy").reason == "lease_held"


def test_lease_outlasts_the_verification_of_a_slow_starter():
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy", start_period_s=600))
    assert begun["web1"].fence["not_after"]["seconds"] == 100 + 600 + 2 * 600


def test_session_deadline_ends_the_ladder():
    paper = Paper(Policy(session_deadline_s=MINUTE))
    begun = paper.begin(paper.see("web1", "unhealthy"))
    paper.wait(2 * MINUTE)
    answers = paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "failed")})
    assert not answers["web1"].next.rung and not answers["web1"].next.wait


def test_operators_reset_during_a_run_stands():
    """lesson 20."""
    paper = Paper(Policy(recovery_threshold=5))
    for _run in range(3):
        paper.monitor("unhealthy")
        paper.wait(2 * HOUR)
    begun = paper.begin(paper.see("web1", "unhealthy"))
    paper.change(lambda service: person.close_breaker(service, order(paper)))
    paper.settle(sessions_of(begun), {"web1": step_result(begun["web1"], "failed")})
    assert paper.instance().recovery.failure_count == 1


def test_operators_open_during_a_run_stops_it_at_its_next_step():
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy"))
    paper.change(lambda service: person.open_breaker(service, order(paper)))
    answers = paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "failed")})
    assert not answers["web1"].next.rung
    paper.settle(sessions_of(begun), {})
    assert paper.service().hold.is_open


def test_step_that_never_answers_ends_its_attempt_as_failure():
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy"))
    answers = paper.advance(sessions_of(begun), {})
    assert not answers["web1"].next.rung
    assert paper.settle(sessions_of(begun), {})["web1"].outcome == "escalated"
    assert paper.instance().recovery.failure_count == 1


def test_instances_of_a_serving_service_are_repaired_one_after_the_other():
    paper = Paper()
    seen = [paper.see(f"web{number}", "unhealthy" if number < 3 else "healthy") for number in range(1, 6)]
    begun = paper.begin(*seen, fleet=fleet(5))
    assert begun["web1"].next.rung and begun["web2"].next.wait
    answers = paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "recovered")})
    assert answers["web2"].next.rung == "container_restart" and not answers["web1"].next.rung


def test_waiting_attempt_of_a_killed_run_did_not_start():
    paper = Paper()
    seen = [paper.see(f"web{number}", "unhealthy" if number < 3 else "healthy") for number in range(1, 6)]
    paper.begin(*seen, fleet=fleet(5))
    paper.wait(11 * MINUTE)
    paper.begin(*seen, fleet=fleet(5))
    assert paper.instance("web1").recovery.failure_count == 1
    assert paper.instance("web2").recovery.failure_count == 0


def test_one_dead_instance_leaves_its_siblings_their_repair():
    """lesson 44."""
    paper = Paper()
    healthy = [paper.see(f"web{number}", "healthy") for number in range(3, 21)]
    while not paper.instance("web1").recovery.is_open:
        paper.run(paper.see("web1", "unhealthy"), paper.see("web2", "healthy"), *healthy, fleet=fleet(20))
        paper.wait(2 * HOUR)
    attempts = len(paper.instance("web1").records)
    answers = paper.run(paper.see("web1", "unhealthy"), paper.see("web2", "unhealthy"), *healthy, cure=always, fleet=fleet(20))
    assert answers["web1"].reason == "breaker_open" and answers["web2"].outcome == "recovered"
    for _day in range(3):
        paper.wait(24 * HOUR)
        paper.run(paper.see("web1", "unhealthy"), fleet=fleet(20))
    assert len(paper.instance("web1").records) == attempts


def test_more_than_half_of_a_service_sick_touches_nobody():
    """lesson 30."""
    paper = Paper()
    answers = paper.run(*[paper.see(f"web{number}", "unhealthy" if number < 4 else "healthy") for number in range(1, 6)], fleet=fleet(5))
    assert {answers[f"web{number}"].reason for number in (1, 2, 3)} == {"blast_radius"}
    assert not sessions_of(answers)


def test_limit_keeps_the_fleets_numbers():
    """lesson 29: the others count by what was last measured of them, and all of them count."""
    paper = Paper()
    paper.run(*[paper.see(f"web{number}", "unknown" if number < 4 else "healthy") for number in range(1, 6)], fleet=fleet(5))
    paper.wait(MINUTE)
    assert paper.run(paper.see("web1", "unhealthy"), fleet=fleet(5))["web1"].reason == "blast_radius"
    fresh = Paper()
    assert fresh.run(fresh.see("web1", "unhealthy"), cure=always, fleet=fleet(5))["web1"].outcome == "recovered"


def test_two_instances_both_sick_are_repaired_together():
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy"), paper.see("web2", "unhealthy"), fleet=fleet(2))
    assert begun["web1"].next.rung and begun["web2"].next.rung


def test_thirty_services_sick_at_once_touch_nobody():
    """lesson 45."""
    paper = Paper()
    keys = [f"production/app{number}" for number in range(30)]
    answers = paper.run(*[paper.see(f"host{number}", "unhealthy", key) for number, key in enumerate(keys)])
    assert {answer.reason for answer in answers.values()} == {"storm"}


def test_storm_lasts_until_the_services_are_well():
    """lesson 45: a clock does not end it."""
    paper = Paper()
    keys = [f"production/app{number}" for number in range(30)]
    for _cycle in range(5):
        answers = paper.run(*[paper.see(f"host{number}", "unhealthy", key) for number, key in enumerate(keys)])
        assert {answer.reason for answer in answers.values()} == {"storm"}
        paper.wait(4 * MINUTE)


def test_last_serving_instance_is_spared_when_the_one_before_it_did_not_come_back():
    paper = Paper()
    for _sample in range(2):
        paper.run(paper.see("web1", "degraded"), paper.see("web2", "degraded"), fleet=fleet(2))
        paper.wait(MINUTE)
    begun = paper.begin(paper.see("web1", "degraded"), paper.see("web2", "degraded"), fleet=fleet(2))
    assert begun["web1"].next.rung and begun["web2"].next.wait
    answers = paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "failed")})
    assert not answers["web2"].next.rung and not answers["web2"].next.wait


def test_instance_that_waited_is_measured_once_more_before_it_is_touched():
    paper = Paper()
    seen = [paper.see(f"web{number}", "unhealthy" if number < 3 else "healthy") for number in range(1, 6)]
    begun = paper.begin(*seen, fleet=fleet(5))
    answers = paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "recovered")})
    assert (begun["web1"].fence["recheck"], answers["web2"].fence["recheck"]) == (False, True)


def test_starting_instances_that_were_not_measured_now_are_not_sick():
    paper = Paper()
    starting = [paper.see(f"web{number}", "unknown", starting=True) for number in range(2, 5)]
    paper.run(*starting, fleet=fleet(5))
    assert paper.run(paper.see("web1", "unhealthy"), cure=always, fleet=fleet(5))["web1"].outcome == "recovered"


def test_measurement_during_a_repair_is_no_relapse():
    paper = Paper()
    paper.monitor("unhealthy", always)
    paper.wait(MINUTE)
    paper.begin(paper.see("web1", "healthy"), inputs=Inputs(recovery_reason="manually_forced"))
    paper.begin(paper.see("web1", "unhealthy"))
    assert paper.instance().recovery.failure_count == 0


def test_redeployment_killed_half_way_counts_on_both_tracks():
    paper = Paper(Policy(ladder=("redeploy",)))
    paper.begin(paper.see("web1", "unhealthy"))
    paper.wait(11 * MINUTE)
    paper.monitor("unhealthy")
    assert (paper.instance().recovery.failure_count, paper.service().deployment.failure_count) == (1, 1)


def test_service_held_by_a_person_is_refused_for_every_instance():
    paper = Paper()
    paper.change(lambda service: person.open_breaker(service, order(paper)))
    answer = paper.monitor("unhealthy")
    assert answer.reason == "breaker_open" and answer.detail.endswith("selfheal breaker close --scope production/web")


def test_unreachable_step_counts():
    paper = Paper()
    paper.monitor("unhealthy", lambda _name, _rung: "unreachable")
    assert paper.instance().recovery.failure_count == 1


def test_strictest_threshold_of_a_services_instances_holds():
    paper = Paper()
    paper.run(paper.see("web1", "unhealthy", policy=Policy(recovery_threshold=5)), paper.see("web2", "healthy", policy=Policy(recovery_threshold=1)))
    assert paper.instance("web1").recovery.is_open


def test_pause_during_a_run_stops_it_at_its_next_step():
    paper = Paper()
    begun = paper.begin(paper.see("web1", "unhealthy"))
    paper.change(lambda service: person.pause_service(service, order(paper), HOUR))
    answers = paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "failed")})
    assert not answers["web1"].next.rung


def test_place_in_the_environment_is_renewed_with_the_lease_and_free_after_it():
    paper = Paper(Policy(max_sessions=1))
    begun = paper.begin(paper.see("web1", "unhealthy"))
    other = paper.see("db1", "unhealthy", "production/db")
    paper.wait(9 * MINUTE)
    paper.advance(sessions_of(begun), {"web1": step_result(begun["web1"], "failed")})
    paper.wait(9 * MINUTE)
    assert paper.begin(other)["db1"].reason == "in_progress"
    paper.wait(2 * MINUTE)
    assert paper.begin(other)["db1"].session_id


def test_storm_is_a_share_of_the_environments_services():
    policy = Policy(storm_percent=50, storm_floor=1)
    paper = Paper(policy)
    seen = [paper.see(f"h{number}", "unhealthy" if number < 4 else "healthy", f"production/app{number}") for number in range(10)]
    assert not any(answer.reason == "storm" for answer in paper.begin(*seen).values())


def test_at_most_three_sessions_run_in_an_environment():
    paper = Paper(Policy(storm_floor=100))
    keys = [f"production/app{number}" for number in range(5)]
    answers = paper.begin(*[paper.see(f"host{number}", "unhealthy", key) for number, key in enumerate(keys)])
    assert sorted(answer.reason for answer in answers.values()) == ["health_check_failed"] * 3 + ["in_progress"] * 2


def test_pause_holds_until_its_end():
    paper = Paper()
    paper.change(lambda service: person.pause_service(service, order(paper), HOUR))
    assert paper.monitor("unhealthy").reason == "paused"
    paper.wait(HOUR)
    assert paper.monitor("unhealthy", always).outcome == "recovered"
    with pytest.raises(BadInput, match="at most 24 h"):
        person.pause_service(paper.service(), order(paper), 25 * HOUR)


def test_hosts_of_another_store_are_refused_with_the_command_that_adopts_them():
    """lesson 51."""
    paper, other = Paper(), "f" * 32
    answer = paper.run(paper.see("web1", "unhealthy", guard_store=other))["web1"]
    assert answer.reason == "foreign_store" and f"selfheal state adopt --from {other} --reason" in answer.detail
    environment, _events = person.adopt_hosts(paper.environment(), "production", order(paper), other)
    paper.environments["production"] = {"sessions": {}, "sick": {}, "pause": None, "adopts": list(environment.adopts)}
    assert paper.run(paper.see("web1", "unhealthy", guard_store=other), cure=always)["web1"].outcome == "recovered"


def test_seventh_attempt_within_a_day_opens_whatever_the_outcomes():
    paper = Paper()
    for attempts in range(1, 8):
        paper.monitor("unhealthy", always)
        assert paper.instance().recovery.is_open == (attempts == 7)
        for _sample in range(31):
            paper.wait(MINUTE)
            paper.monitor("healthy")
    assert paper.instance().recovery.last_trigger == "daily_budget"


def test_repair_that_is_needed_again_and_again_reaches_a_person():
    paper = Paper()
    answers = []
    for _fault in range(4):
        answers.append(paper.monitor("unhealthy", always))
        for _sample in range(8):
            paper.wait(HOUR)
            paper.monitor("healthy")
    assert [answer.outcome for answer in answers] == ["recovered"] * 3 + ["escalated"]
    assert answers[-1].reason == "recurring"


def test_counts_belong_to_the_scope_and_survive_a_new_container():
    """lesson 26: nothing in the state knows a container's id."""
    paper = Paper()
    paper.monitor("unhealthy")
    assert paper.instance().recovery.failure_count == 1
    assert "container_id" not in str(paper.documents)


def test_two_services_with_different_thresholds_are_decided_each_by_its_own():
    paper = Paper()
    strict, patient = Policy(recovery_threshold=1), Policy(recovery_threshold=5)
    paper.run(paper.see("a", "unhealthy", "production/strict", policy=strict), paper.see("b", "unhealthy", "production/patient", policy=patient))
    assert paper.instance("a", "production/strict").recovery.is_open
    assert not paper.instance("b", "production/patient").recovery.is_open


REDEPLOYING = Policy(ladder=("container_restart", "redeploy"))


def test_failed_redeployment_counts_on_both_tracks():
    """lesson 23: a loop of redeployments that the recovery track never sees."""
    paper = Paper(REDEPLOYING)
    paper.monitor("unhealthy")
    assert (paper.instance().recovery.failure_count, paper.service().deployment.failure_count) == (1, 1)
    paper.wait(2 * HOUR)
    paper.monitor("unhealthy", lambda _name, rung: "failed" if rung == "container_restart" else "not_started")
    assert (paper.instance().recovery.failure_count, paper.service().deployment.failure_count) == (2, 1)


def test_each_track_has_a_status_of_its_own():
    """lesson 23: one status shared by two tracks."""
    paper = Paper(REDEPLOYING)
    paper.change(lambda service: person.open_breaker(service, order(paper, track="deployment")))
    rungs = []
    paper.monitor("unhealthy", lambda _name, rung: rungs.append(rung) or "failed")
    assert rungs == ["container_restart"], "recovery goes on without a deployment"
    shown = status(paper.service(), Scope.parse(KEY), paper.environment(), paper.now)
    assert (shown["recovery_status"], shown["deployment_status"], shown["status"]) == ("closed", "open", "open")


def test_proven_redeployment_resets_both_tracks_and_a_relapsed_one_counts_on_both():
    cured_by_redeployment = {"container_restart": "failed", "redeploy": "recovered"}
    for verdict, counts in (("healthy", (0, 0)), ("unhealthy", (2, 2))):
        paper = Paper(REDEPLOYING)
        paper.monitor("unhealthy")
        paper.wait(2 * HOUR)
        paper.monitor("unhealthy", lambda _name, rung: cured_by_redeployment[rung])
        paper.wait(31 * MINUTE)
        paper.monitor(verdict)
        assert (paper.instance().recovery.failure_count, paper.service().deployment.failure_count) == counts


def test_proven_repair_leaves_the_deployment_track_alone():
    paper = Paper(REDEPLOYING)
    paper.monitor("unhealthy")
    paper.wait(2 * HOUR)
    paper.monitor("unhealthy", always)
    paper.wait(31 * MINUTE)
    paper.monitor("healthy")
    assert (paper.instance().recovery.failure_count, paper.service().deployment.failure_count) == (0, 1)


def test_commanded_threshold_stands_above_the_inventorys():
    paper = Paper()
    paper.change(lambda service: person.set_threshold(service, order(paper), "recovery", 1))
    paper.monitor("unhealthy")
    assert paper.instance().recovery.is_open


def test_kept_failures_let_the_next_failure_open():
    paper = Paper()
    fail_until_open(paper)
    paper.change(lambda service: person.close_breaker(service, order(paper), keep_failures=True))
    assert not paper.instance().recovery.is_open and paper.instance().recovery.failure_count == 3
    assert paper.change(lambda service: person.check_breaker(service, order(paper))) == []
    paper.monitor("unhealthy")
    assert paper.instance().recovery.is_open


def test_check_opens_what_a_lowered_threshold_puts_over_it():
    paper = Paper()
    paper.monitor("unhealthy")
    paper.change(lambda service: person.set_threshold(service, order(paper), "recovery", 1))
    events = paper.change(lambda service: person.check_breaker(service, order(paper)))
    assert [event.action for event in events] == ["opened"]


def test_open_without_a_reason_is_refused():
    paper = Paper()
    with pytest.raises(BadInput, match="reason"):
        person.open_breaker(paper.service(), order(paper, reason=" "))


@pytest.mark.parametrize("damage", [{"failure_count": "3"}, {"failure_count": -1}, {"status": "ajar"}, {"name": "other"}, {"surprise": 1}])
def test_damaged_document_is_unreadable_and_never_a_fresh_one(damage):
    """lesson 19."""
    paper = Paper()
    paper.monitor("unhealthy")
    paper.documents[KEY]["instances"]["web1"]["recovery"].update(damage)
    with pytest.raises(StateUnreadable):
        paper.service()
    with pytest.raises(StateUnreadable):
        service_from_json(KEY, {})


@pytest.mark.parametrize("damage", [{"rungs": []}, {"step": 9}, {"step": -1}, {"rungs": ["container_restart", "/tmp/evil.role"]}, {"begun_at": "soon"}])
def test_damaged_session_is_unreadable_and_names_nothing_to_run(damage):
    """Whoever can write state must not choose what runs."""
    paper = Paper()
    paper.begin(paper.see("web1", "unhealthy"))
    paper.documents[KEY]["session"]["attempts"]["web1"].update(damage)
    with pytest.raises(StateUnreadable):
        paper.service()


@pytest.mark.parametrize(
    "bad",
    [
        {"recovery_reason": "{{ lookup('pipe', 'id') }}"},
        {"health_status": "fine"},
        {"triggered_by": "nobody"},
        {"monitoring_session_id": "x" * 501},
        {"force_redeployment": "yes"},
        {"surprise": 1},
    ],
)
def test_inputs_are_data_and_checked(bad):
    """lesson 53."""
    with pytest.raises(BadInput):
        Inputs.from_json(bad)


@pytest.mark.parametrize(
    "bad",
    [
        {"lease_s": 4},
        {"daily_budget": 0},
        {"backoff_s": []},
        {"backoff_s": [99999]},
        {"ladder": ["a b"]},
        {"ladder": ["container_restat"]},
        {"recovery_threshold": 0},
        {"x": 1},
    ],
)
def test_settings_outside_their_range_are_refused(bad):
    with pytest.raises(BadInput):
        Policy.from_json(bad)


@pytest.mark.parametrize("text", ["web", "a//b", "a/b/c/d", "/a/b", "a/b\n", "a/" + "b" * 201])
def test_scopes_are_two_or_three_printable_names(text):
    with pytest.raises(BadInput):
        Scope.parse(text)


def test_names_with_quotes_braces_and_dollars_are_kept_as_they_are():
    scope = Scope.parse("prod's/$(id)/{{ web }}")
    assert str(scope) == "prod's/$(id)/{{ web }}"


def test_never_and_always_are_what_they_say():
    assert (never("", ""), always("", "")) == ("failed", "recovered")
