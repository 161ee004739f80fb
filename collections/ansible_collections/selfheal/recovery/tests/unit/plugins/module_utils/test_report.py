# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run's report says, and that nothing from outside gets out of its place in it."""

from __future__ import annotations

import json
import re

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.reports import ReportFailed, write
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.advice import needs_person, next_commands
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.report import lines, markdown, summarize

NASTY = "`$(id)` <script>alert(1)</script> | {{ 7 * 7 }} \n# heading \x1b[31m [x](http://example.org) " + "x" * 10_000


def told(outcome="recovered", reason="health_check_failed", detail="restarted", **more):
    return {"scope": "production/web/web1", "outcome": outcome, "reason": reason, "detail": detail, "session_id": "", "rung": "", **more}


def decision(**instances):
    return {"instances": instances, "sessions": {}, "breakers": {}}


def summary(**instances):
    return summarize("run-1", "2026-01-01T00:00:00Z", {"triggered_by": "manual"}, {}, decision(**instances), {}, {})


def test_headline_counts_and_names_who_needs_a_person():
    shown = summary(web1=told("none", "not_sick"), web2=told("escalated", "unknown", "engine silent"), web3=told())
    assert shown["headline"] == "1 healthy, 1 escalated, 1 recovered. A person is needed: web2: unknown: engine silent"
    assert shown["needs_person"]


def test_all_well_needs_nobody():
    shown = summary(web1=told("none", "not_sick"), web2=told())
    assert not shown["needs_person"] and shown["headline"].endswith("Nobody needs to come.")


def test_nothing_measured_is_no_success():
    """lesson 28."""
    assert summary()["needs_person"]


@pytest.mark.parametrize(
    ("outcome", "reason", "needed"),
    [
        ("none", "not_sick", False),
        ("none", "starting", False),
        ("recovered", "health_check_failed", False),
        ("refused", "lease_held", False),
        ("refused", "in_progress", False),
        ("refused", "cooling_down", False),
        ("refused", "paused", False),
        ("refused", "breaker_open", True),
        ("refused", "storm", True),
        ("refused", "blast_radius", True),
        ("refused", "state_unreadable", True),
        ("refused", "foreign_store", True),
        ("escalated", "repair_failed", True),
        ("unreachable", "unreachable", True),
        ("internal_error", "state_unreadable", True),
    ],
)
def test_who_needs_a_person(outcome, reason, needed):
    assert needs_person(outcome, reason) is needed


def test_next_commands_quote_the_scope():
    assert next_commands("refused", "breaker_open", "prod/$(id) x/web1")[-1] == "selfheal breaker close --scope 'prod/$(id) x/web1'"


def test_attempt_that_opened_the_breaker_names_the_command_that_closes_it():
    breakers = {"production/web": {"recovery_status": "open", "instances": {"web1": {"status": "open"}}}}
    given = {**decision(web1=told("escalated", "not_verified")), "breakers": breakers}
    shown = summarize("run-1", "2026-01-01T00:00:00Z", {}, {}, given, {}, {})
    assert shown["instances"]["web1"]["next"][-1] == "selfheal breaker close --scope production/web/web1"


def test_text_from_outside_does_no_harm_on_the_page():
    page = markdown(summary(**{NASTY: told("escalated", NASTY, NASTY)}))
    assert "<script" not in page and "\x1b" not in page
    assert not re.search(r"(?<!\\)\]\(", page) and "\n# heading" not in page
    assert max(map(len, page.splitlines())) < 5_000
    assert all(line.count("|") - line.count("\\|") in (0, 7) for line in page.splitlines())


def test_lines_for_the_terminal_have_no_control_characters():
    assert all(line.isprintable() for line in lines(summary(web1=told("escalated", NASTY, NASTY))))


def test_report_is_written_whole_and_for_its_owner(tmp_path):
    step_summary = tmp_path / "summary.md"
    given = {"decision": decision(web1=told()), "begun": {}, "probes": {}, "steps": {}, "inputs": {}}
    result = write(str(tmp_path / "reports"), 5, given, {"GITHUB_STEP_SUMMARY": str(step_summary)}, False)
    written = json.loads((tmp_path / "reports" / result["summary"]["run_id"] / "result.json").read_text())
    assert written["instances"]["web1"]["outcome"] == "recovered"
    assert step_summary.read_text().startswith("# Recovery run")
    assert (tmp_path / "reports").stat().st_mode & 0o077 == 0
    assert result["summary"]["instances"] == {"web1": {"outcome": "recovered", "reason": "health_check_failed"}}


def test_old_reports_are_removed(tmp_path):
    given = {"decision": decision(web1=told()), "begun": {}, "probes": {}, "steps": {}, "inputs": {}}
    (tmp_path / "run-0-mine").mkdir()
    for _run in range(5):
        write(str(tmp_path), 3, given, {}, False)
    assert len(list(tmp_path.glob("run-*/result.json"))) == 3
    assert (tmp_path / "run-0-mine").exists(), "what is no report is not ours to remove"


def test_check_mode_writes_nothing(tmp_path):
    given = {"decision": decision(web1=told("escalated", "unknown")), "begun": {}, "probes": {}, "steps": {}, "inputs": {}}
    result = write(str(tmp_path / "reports"), 3, given, {}, True)
    assert not (tmp_path / "reports").exists() and not result["changed"] and not result["needs_person"]


def test_report_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    given = {"decision": decision(), "begun": {}, "probes": {}, "steps": {}, "inputs": {}}
    with pytest.raises(ReportFailed, match="expected to write the report"):
        write(str(tmp_path / "file" / "reports"), 3, given, {}, False)
