# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What no rung can cure goes to a person, at once, and is never acted on (lesson 46)."""

from __future__ import annotations

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Kind, Probe, Result
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.decide import PATIENT
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.inputs import Inputs, Observation
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.verdict import Check, Health, for_ladder, overall
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.paper import Paper, always

DISK = Check("disk", "disk", "failed", remedy="report", message="the file system of / is 99 % full (more than 95)")
CERTIFICATE = Check("http", "http", "failed", critical=True, remedy="report", message="its certificate is not good: certificate has expired")
GROWING = Check("storage", "storage", "soft", remedy="report", message="/data takes up 900 MiB (more than 500)")
DAMAGED = Check("storage", "storage", "failed", critical=True, remedy="report", message="the SQLite file is damaged: notes.db")
SLOW = Check("http", "http", "soft", critical=True, message="took 4000 ms")
BROKEN = Check("http", "http", "failed", critical=True, message="answered 500")
BLIND = Check("logs", "logs", "unmeasured", message="logs: cannot be read")


def seen(*checks, **observed):
    """The observation of an instance with these checks, as it comes from its host."""
    errors = tuple(f"{check.name}: {check.message}" for check in checks if check.status == "unmeasured")
    health = Health("2026-01-01T00:00:00Z", "", "production/web/web1", "h", overall(checks), checks, errors)
    return Observation.from_result({"health": health.to_json(), "observed": {"container": {"state": "running"}, "clock": {"boot_id": "b", "seconds": 1}}})


@pytest.mark.parametrize("finding", [DISK, CERTIFICATE, GROWING, DAMAGED], ids=lambda check: check.message.split()[0])
def test_full_disk_certificate_and_growing_file_escalate_and_never_act(finding):
    paper = Paper()
    for _run in range(5):  # however often: it does not become a persistent degradation either
        answer = paper.run(seen(finding), cure=always)["web1"]
        assert (answer.action, answer.reason, answer.outcome) == ("escalate", "report_only", "escalated")
        assert finding.message in answer.detail
        assert answer.session_id == ""
        paper.wait(300)
    assert paper.instance().records == ()
    assert [event.action for event in paper.events] == []
    assert not any(sample.sick for sample in paper.instance().samples)


def test_what_was_not_measured_does_not_hide_it():
    answer = Paper().begin(seen(BLIND, DISK))["web1"]
    assert (answer.reason, DISK.message in answer.detail) == ("report_only", True)


def test_it_is_told_at_once_beside_what_is_merely_watched():
    """A slow answer is waited out for three samples; damage that a person has to mend is not."""
    answer = Paper().begin(seen(SLOW, DAMAGED))["web1"]
    assert (answer.action, answer.reason, DAMAGED.message in answer.detail) == ("escalate", "report_only", True)
    assert Paper().begin(seen(SLOW))["web1"].reason == "degraded_watching"


def test_what_a_rung_can_cure_is_cured_all_the_same():
    answer = Paper().begin(seen(BROKEN, DISK))["web1"]
    assert (answer.action, answer.reason) == ("repair", "health_check_failed")


def test_a_recovery_is_proven_and_no_relapse_while_the_disk_is_full():
    paper = Paper()
    paper.run(seen(BROKEN), cure=always)
    paper.wait(1900)
    paper.begin(seen(DISK))
    assert paper.instance().provisional is None
    assert "proven" in [event.action for event in paper.events]


def test_a_person_may_insist():
    answer = Paper().begin(seen(DISK), inputs=Inputs(recovery_reason="manually_forced"))["web1"]
    assert answer.action == "repair"


def test_report_only_needs_a_person():
    assert "report_only" not in PATIENT


def test_the_operators_word_beats_the_findings_and_that_the_kinds():
    def probe(kind, said):
        return Probe("x", Kind("command", lambda _context: Result("failed", ""), remedy=kind), False, said, 1.0, {})

    assert probe("ladder", "").remedy_of(Result("failed", "")) == "ladder"
    assert probe("ladder", "").remedy_of(Result("failed", "", remedy="report")) == "report"
    assert probe("report", "").remedy_of(Result("failed", "", remedy="ladder")) == "ladder"
    assert probe("ladder", "ladder").remedy_of(Result("failed", "", remedy="report")) == "ladder"


def test_verification_does_not_wait_for_what_no_rung_can_cure():
    health = Health("", "", "", "", "degraded", (Check("http", "http", "healthy", critical=True), DISK))
    assert for_ladder(health) == "healthy"
