# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal breaker` and `selfheal state`: every command and option of the contract, as a person types them."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import replace

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._domain.events import Event
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.state import Pause
from ansible_collections.selfheal.recovery.tests.unit.plugins.place import (
    DEPLOYMENT,
    KEY,
    Environment,
    Place,
    Service,
    instance,
    record,
    session,
    track,
)
from ansible_collections.selfheal.recovery.tests.unit.plugins.plugin_utils.shell import Run, finished, place, run

assert place  # fixtures
assert run

STATUS_KEYS = {
    "status", "recovery_status", "deployment_status", "recovery_failure_count", "deployment_failure_count", "recovery_threshold",
    "deployment_threshold", "last_recovery_failure_time", "last_recovery_failure_reason", "last_deployment_failure_time",
    "last_deployment_failure_reason", "opened_at", "opened_by", "last_trigger", "trigger_reason", "last_override", "override_by",
    "override_reason", "instances",
}  # fmt: skip
MORE_KEYS = {"scope", "paused", "session"}
EXPORT_KEYS = {"timestamp", "recovery_history", "event_log", "threshold_status"}
EVENT_KEYS = {"timestamp", "scope", "track", "action", "reason", "triggered_by", "session_id", "failure_count", "threshold"}

# The user's document, with the repository taken out and FILE for a file.
DOCUMENTED = (
    "status",
    "status --json",
    "events",
    "check",
    'open --reason "maintenance"',
    "close",
    "close --keep-failures",
    "threshold 5",
    "deployment-threshold 3",
    "status --export FILE",
    "history",
)
NASTY = "x\x1b[2J\x1b]0;owned\x07\r\n\u202egnp.exe [red]bold[/red] {{ lookup('pipe', 'id') }} \x9b31m"


def sick(count: int, **more: object) -> Service:
    return Service(instances={"web1": instance(count), "web2": instance(0)}, **more)


@pytest.mark.parametrize("line", DOCUMENTED)
def test_documented_command_runs_as_written(place: Place, run: Run, line: str) -> None:
    place.fill()
    file = place.directory / "circuit_breaker_status.json"
    said = run("breaker", *(str(file) if word == "FILE" else word for word in shlex.split(line)))
    assert said.code == 0
    assert "--json" not in line or said.json


@pytest.mark.parametrize("line", DOCUMENTED)
def test_options_are_taken_before_and_after_the_sub_command(place: Place, run: Run, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECOVERY_STATE")
    place.fill("staging/db")
    place.fill()
    words = [str(place.directory / "file.json") if word == "FILE" else word for word in shlex.split(line)]
    options = ["--state", place.url, "--scope", KEY, "--track", "both"]
    before, after = run("breaker", *options, *words), run("breaker", *words, *options)
    assert (before.code, after.code) == (0, 0)
    assert (KEY in before.out, KEY in after.out) == (True, True) or "--json" in line


def test_repository_is_refused_with_what_to_use_instead(place: Place, run: Run) -> None:
    for argv in (("breaker", "--repo", "owner/repo", "status"), ("breaker", "status", "--repo", "owner/repo", "--state", place.url)):
        line = run(*argv).one_line
        assert "github://owner/repo" in line
        assert "--state" in line
        assert "RECOVERY_STATE" in line
    assert "owner/repo" in run("breaker", "--repo", "not a repository", "status").one_line


def test_status_has_exactly_the_keys_of_the_contract(place: Place, run: Run) -> None:
    place.fill(service=sick(2))
    status = run("breaker", "status", "--json").json
    assert set(status) == STATUS_KEYS | MORE_KEYS
    assert (status["status"], status["recovery_failure_count"], status["recovery_threshold"]) == ("closed", 2, 3)
    assert status["last_recovery_failure_time"] == "2026-01-02T00:00:00.000Z"
    assert set(status["instances"]) == {"web1", "web2"}


def test_status_is_0_whatever_the_state(place: Place, run: Run) -> None:
    place.fill(service=Service(instances={"web1": instance(3, is_open=True)}))
    said = run("breaker", "status", "--json")
    assert (said.code, said.json["status"], said.json["opened_by"]) == (0, "open", "schedule")


def test_export_holds_status_history_and_events(place: Place, run: Run) -> None:
    place.fill(service=Service(instances={"web1": instance(3, records=(record(),))}))
    run("breaker", "open", "--reason", "maintenance")
    file = place.directory / "export.json"
    said = run("breaker", "status", "--json", "--export", str(file))
    export = json.loads(file.read_text(encoding="utf-8"))
    assert set(said.json) == STATUS_KEYS | MORE_KEYS
    assert set(export) == STATUS_KEYS | MORE_KEYS | EXPORT_KEYS
    assert [each["outcome"] for each in export["recovery_history"]] == ["failed"]
    assert [set(event) for event in export["event_log"]] == [EVENT_KEYS, EVENT_KEYS]
    assert export["threshold_status"] == {"recovery_threshold_exceeded": True, "deployment_threshold_exceeded": False, "any_threshold_exceeded": True}
    assert export["timestamp"].endswith("Z")
    assert sorted(os.listdir(place.directory)) == ["export.json", "state"]


@pytest.mark.parametrize("target", ["missing/export.json", "state", "a\0b"])
def test_export_that_cannot_be_written_leaves_nothing_behind(place: Place, run: Run, target: str) -> None:
    place.fill()
    assert "Traceback" not in run("breaker", "status", "--export", str(place.directory / target)).one_line
    assert os.listdir(place.directory) == ["state"]


def test_export_replaces_a_file_as_a_whole_and_follows_a_link(place: Place, run: Run) -> None:
    place.fill()
    file, link = place.directory / "old.json", place.directory / "link.json"
    file.write_text("x" * 100000, encoding="utf-8")
    link.symlink_to(file)
    assert run("breaker", "status", "--export", str(link)).code == 0
    assert link.is_symlink()
    assert json.loads(file.read_text(encoding="utf-8"))["status"] == "closed"


def test_export_writes_to_a_device_and_never_replaces_it(place: Place, run: Run) -> None:
    place.fill()
    assert run("breaker", "status", "--export", os.devnull).code == 0
    assert not os.path.isfile(os.devnull)


def test_text_names_everything_a_person_needs(place: Place, run: Run) -> None:
    cooling = instance(1, cooling_until="2999-01-01T00:00:00.000Z")
    pause = Pause("network work", "ada", "2999-01-01T00:00:00.000Z")
    instances = {"web1": instance(3, is_open=True), "web2": cooling}
    place.fill(service=Service(instances=instances, session=session(), pause=pause, deployment=track(2, DEPLOYMENT, reason="not_verified")))
    said = run("breaker", "status")
    for words in (
        "production/web: open",
        "recovery     open for 1 of 2 instances; at most 3 failures, threshold 3",
        "deployment   closed; 2 failures, threshold 5",
        "web1  open since 2026-01-02T00:00:00.000Z by schedule (threshold: health_check_failed), 3 failures",
        "cooling down until 2999-01-01T00:00:00.000Z",
        "paused       production/web until 2999-01-01T00:00:00.000Z by ada: network work",
        "of cron@control, begun 2026-01-01T00:00:00.000Z by schedule; lease until 2999-01-01T00:00:00.000Z",
        "When the cause is mended: selfheal breaker close --scope production/web",
    ):
        assert words in said.out


def test_text_says_when_a_lease_is_over(place: Place, run: Run) -> None:
    place.fill(service=Service(session=session(expires_at="2026-01-01T00:10:00.000Z")))
    assert "its lease ended at 2026-01-01T00:10:00.000Z" in run("breaker", "status").out


def test_track_narrows_the_text(place: Place, run: Run) -> None:
    place.fill()
    assert "deployment" not in run("breaker", "status", "--track", "recovery").out
    assert "recovery" not in run("breaker", "status", "--track", "deployment").out


def test_suggested_command_closes_what_is_open(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RECOVERY_STATE")
    place.fill("my env/it's", Service(instances={"web 1": instance(3, is_open=True)}))
    text = run("breaker", "status", "--state", place.url).out
    command = next(line for line in text.splitlines() if "selfheal breaker close" in line).split("mended: selfheal ")[1]
    assert run(*shlex.split(command)).code == 0
    assert run("breaker", "--state", place.url, "status", "--json").json["status"] == "closed"


def test_open_blocks_the_whole_service_and_close_lets_it_go(place: Place, run: Run) -> None:
    place.fill(service=sick(1))
    opened = run("breaker", "open", "--reason", "maintenance")
    assert opened.code == 0
    status = run("breaker", "status", "--json").json
    assert (status["recovery_status"], status["deployment_status"], status["trigger_reason"]) == ("open", "open", "maintenance")
    assert "open already" in run("breaker", "open", "--reason", "again").out
    assert run("breaker", "close", "--reason", "mended").code == 0
    status = run("breaker", "status", "--json").json
    assert (status["status"], status["recovery_failure_count"]) == ("closed", 0)
    assert "nothing to close" in run("breaker", "close").out
    assert [event.action for event in place.log()] == ["opened", "opened", "closed", "closed", "closed"]
    assert {event.reason for event in place.log()} == {"maintenance", "mended"}


def test_open_and_close_of_one_track(place: Place, run: Run) -> None:
    place.fill()
    run("breaker", "--track", "deployment", "open", "--reason", "release freeze")
    status = run("breaker", "status", "--json").json
    assert (status["recovery_status"], status["deployment_status"]) == ("closed", "open")
    assert "nothing to close" in run("breaker", "close", "--track", "recovery").out
    assert run("breaker", "close", "--track", "deployment").code == 0
    assert run("breaker", "status", "--json").json["status"] == "closed"


def test_closing_an_instance_says_that_its_service_is_still_held(place: Place, run: Run) -> None:
    place.fill(service=Service(instances={"web1": instance(3, is_open=True)}, hold=track(0, is_open=True)))
    said = run("breaker", "close", "--scope", f"{KEY}/web1")
    assert "closed the recovery breaker of production/web/web1" in said.out
    assert "still open" in said.out
    assert "selfheal breaker close --scope production/web\n" in said.out


def test_kept_failures_open_with_the_next_one_but_not_by_check(place: Place, run: Run) -> None:
    place.fill(service=Service(instances={"web1": instance(3, is_open=True)}))
    assert "3 failures kept" in run("breaker", "close", "--keep-failures").out
    assert run("breaker", "status", "--json").json["recovery_failure_count"] == 3
    said = run("breaker", "check")
    assert (said.code, "nothing to open" in said.out) == (0, True)
    kept = place.service().instance("web1").recovery
    assert (kept.status, kept.closed_count) == ("closed", 3)


def test_check_opens_what_is_over_its_threshold_and_answers_1(place: Place, run: Run) -> None:
    place.fill(service=sick(3))
    said = run("breaker", "check", "--json")
    assert said.code == 1
    assert set(said.json) == STATUS_KEYS | MORE_KEYS | {"opened"}
    assert [event["scope"] for event in said.json["opened"]] == ["production/web/web1"]
    again = run("breaker", "check")
    assert (again.code, again.out) == (0, "production/web: nothing to open; it is open\n")


def test_check_in_words_names_the_way_back(place: Place, run: Run) -> None:
    place.fill(service=sick(4))
    said = run("breaker", "check")
    assert "opened the recovery breaker of production/web/web1: 4 failures, threshold 3" in said.out
    assert "selfheal breaker close --scope production/web" in said.out


@pytest.mark.parametrize(("track", "code"), [("recovery", 1), ("deployment", 0), ("both", 1)])
def test_check_of_one_track(place: Place, run: Run, track: str, code: int) -> None:
    place.fill(service=sick(3))
    assert run("breaker", "check", "--track", track).code == code


def test_thresholds_are_set_and_shown(place: Place, run: Run) -> None:
    place.fill(service=sick(2))
    assert run("breaker", "threshold", "2").out.startswith("the recovery threshold of production/web is 2, it was 3\n  its failures reach that")
    assert run("breaker", "deployment-threshold", "4", "--reason", "careful").code == 0
    assert "already" in run("breaker", "threshold", "2").out
    status = run("breaker", "status", "--json").json
    assert (status["recovery_threshold"], status["deployment_threshold"]) == (2, 4)
    assert [(event.action, event.track, event.threshold, event.reason) for event in place.log()] == [
        ("threshold", "recovery", 2, "from 3 to 2"),
        ("threshold", "deployment", 4, "careful"),
    ]
    assert run("breaker", "check").code == 1


@pytest.mark.parametrize("value", ["0", "-1", "1001", "three", "1.5", ""])
@pytest.mark.parametrize("command", ["threshold", "deployment-threshold"])
def test_impossible_threshold_is_refused(place: Place, run: Run, command: str, value: str) -> None:
    place.fill()
    assert run("breaker", command, value).one_line
    assert not place.log()


def test_threshold_is_not_an_instances_and_not_the_other_tracks(place: Place, run: Run) -> None:
    place.fill(service=sick(0))
    assert "--scope production/web" in run("breaker", "threshold", "5", "--scope", f"{KEY}/web1").one_line
    assert "deployment-threshold" in run("breaker", "threshold", "5", "--track", "deployment").one_line
    assert "'threshold'" in run("breaker", "deployment-threshold", "5", "--track", "recovery").one_line


@pytest.mark.parametrize(("scope", "shown"), [(KEY, KEY), (f"{KEY}/web1", f"{KEY}/web1"), ("production", KEY)])
def test_pause_and_resume(place: Place, run: Run, scope: str, shown: str) -> None:
    place.fill(service=sick(0))
    said = run("breaker", "pause", "--reason", "power work", "--for", "1h30m", "--scope", scope)
    assert (said.code, said.out.startswith(f"paused {scope} until ")) == (0, True)
    assert "power work" in run("breaker", "status", "--json", "--scope", shown).json["paused"]
    assert f"paused       {scope} until" in run("breaker", "status").out
    assert run("breaker", "resume", "--scope", scope).out == f"resumed {scope}\n"
    assert run("breaker", "status", "--json", "--scope", shown).json["paused"] is None
    again = run("breaker", "resume", "--scope", scope)
    assert (again.code, "nothing to resume" in again.out) == (0, True)


def test_resuming_a_service_says_that_its_environment_is_still_paused(place: Place, run: Run) -> None:
    place.fill(environment=Environment(pause=Pause("storm", "ada", "2999-01-01T00:00:00.000Z")))
    assert "still paused from above, until 2999-01-01T00:00:00.000Z by ada: storm" in run("breaker", "resume").out


@pytest.mark.parametrize("duration", ["25h", "2d", "1d1s", "0m", "2", "-1h", "2 hours", "1m1h", "", "٣h", "9" * 40 + "s"])
def test_impossible_pause_is_refused(place: Place, run: Run, duration: str) -> None:
    place.fill()
    assert run("breaker", "pause", "--reason", "x", f"--for={duration}").one_line
    assert not place.log()


@pytest.mark.parametrize("duration", ["30m", "2h", "1d", "90s", "23h59m60s"])
def test_possible_pause(place: Place, run: Run, duration: str) -> None:
    place.fill()
    assert run("breaker", "pause", "--reason", "x", "--for", duration).code == 0


@pytest.mark.parametrize("line", ["open", "open --reason ' '", "pause --for 2h", "pause --for 2h --reason ''", "pause --reason x"])
def test_reason_and_duration_are_needed(place: Place, run: Run, line: str) -> None:
    place.fill()
    why = run("breaker", *shlex.split(line)).one_line
    assert "reason" in why or "--for" in why
    assert not place.log()


def test_reason_that_is_too_long_is_refused(place: Place, run: Run) -> None:
    place.fill()
    assert "500" in run("breaker", "open", "--reason", "x" * 10240).one_line


def test_events_show_the_newest_last(place: Place, run: Run) -> None:
    place.fill()
    for number in range(2, 17):
        run("breaker", "threshold", str(number))
    assert [event["threshold"] for event in run("breaker", "events", "--json").json] == list(range(7, 17))
    assert [event["threshold"] for event in run("breaker", "events", "--json", "--limit", "2").json] == [15, 16]
    assert run("breaker", "events", "--json", "--limit", "100").json[0].keys() == EVENT_KEYS
    lines = run("breaker", "events").out.splitlines()
    assert (len(lines), lines[0].split()) == (11, ["time", "scope", "track", "action", "count", "by", "reason", "session"])


def test_events_of_one_track_reach_further_back(place: Place, run: Run) -> None:
    place.fill(events=tuple(Event("2026-01-01T00:00:00.000Z", KEY, name, "failure") for name in ("deployment", *["recovery"] * 60)))
    assert len(run("breaker", "events", "--json", "--track", "deployment").json) == 1


def test_events_of_an_environment(place: Place, run: Run) -> None:
    place.fill()
    place.fill("staging/web")
    run("breaker", "pause", "--reason", "x", "--for", "1h", "--scope", "production")
    assert [event["scope"] for event in run("breaker", "events", "--json", "--scope", "production").json] == ["production"]
    assert run("breaker", "events", "--scope", "staging").out == "no events of staging\n"


@pytest.mark.parametrize("limit", ["0", "-1", "x"])
def test_impossible_limit_is_refused(place: Place, run: Run, limit: str) -> None:
    place.fill()
    assert run("breaker", "events", "--limit", limit).one_line


def test_history_shows_settled_attempts(place: Place, run: Run) -> None:
    place.fill(service=Service(instances={"web1": instance(1, records=(record(), record("recovery-2", started_at="2026-01-03T00:00:00.000Z")))}))
    records = run("breaker", "history", "--json").json
    assert [each["session_id"] for each in records] == ["recovery-20260101T000000Z-00000000", "recovery-2"]
    text = run("breaker", "history").out.splitlines()
    assert text[0].split() == ["started", "scope", "outcome", "rung", "reason", "by", "session", "detail"]
    assert "network_reset" in text[1]
    assert run("breaker", "history", "--scope", f"{KEY}/web2", "--json").json == []


# Which scope is meant.


@pytest.mark.parametrize("words", ["status --json", "status --export f", "check --json", "events", "history --json", "open --reason x", "close", "threshold 4"])
def test_several_services_have_to_be_named(place: Place, run: Run, words: str) -> None:
    place.fill()
    place.fill("staging/db")
    line = run("breaker", *words.split()).one_line
    assert "production/web, staging/db" in line
    assert "--scope" in line
    assert not place.log()


def test_check_in_words_checks_every_service(place: Place, run: Run) -> None:
    place.fill()
    place.fill("staging/db", Service(deployment=replace(track(0), name="deployment", failure_count=9)))
    said = run("breaker", "check")
    assert said.code == 1
    assert "production/web" in said.out
    assert "staging/db" in said.out


def test_status_in_words_shows_every_service(place: Place, run: Run) -> None:
    place.fill()
    place.fill("staging/db", Service(hold=track(0, is_open=True)))
    said = run("breaker", "status")
    assert said.code == 0
    assert [block.splitlines()[0] for block in said.out.split("\n\n")] == ["production/web: closed", "staging/db: open"]


def test_default_scope_is_taken_from_the_environment(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    place.fill()
    place.fill("staging/db")
    monkeypatch.setenv("RECOVERY_DEFAULT_SCOPE", "staging/db")
    assert run("breaker", "status", "--json").json["scope"] == "staging/db"
    assert run("breaker", "--scope", KEY, "status", "--json").json["scope"] == KEY
    monkeypatch.setenv("RECOVERY_DEFAULT_SCOPE", "staging")
    assert "RECOVERY_DEFAULT_SCOPE" in run("breaker", "status").one_line
    assert "RECOVERY_DEFAULT_SCOPE" in run("breaker", "pause", "--reason", "x", "--for", "1h").one_line


@pytest.mark.parametrize("scope", ["", "production", "a/b/c/d", "production/", "/web", "a//b", "production/we\nb", "production/" + "x" * 201])
def test_impossible_scope_is_refused(place: Place, run: Run, scope: str) -> None:
    place.fill()
    assert run("breaker", "status", "--scope", scope).one_line


def test_reads_are_truthful_when_nothing_was_recorded_yet(place: Place, run: Run) -> None:
    status = run("breaker", "status", "--json")
    assert (status.code, status.json["scope"], status.json["status"]) == (0, "default/default", "closed")
    for argv in (("status",), ("check",), ("events",), ("history",)):
        said = run("breaker", *argv)
        assert (said.code, "nothing was recorded" in said.err) == (0, True)
    assert run("breaker", "events", "--json").json == []
    assert run("breaker", "history", "--json").json == []
    assert run("breaker", "check", "--json").json["opened"] == []


@pytest.mark.parametrize("words", ["open --reason x", "close", "threshold 4", "deployment-threshold 4", "pause --reason x --for 1h", "resume"])
def test_changes_need_a_name_when_nothing_was_recorded_yet(place: Place, run: Run, words: str) -> None:
    assert "--scope" in run("breaker", *words.split()).one_line


def test_scope_nobody_has_seen_is_closed_and_said_to_be_new(place: Place, run: Run) -> None:
    place.fill()
    for argv in (("status", "--json"), ("status",), ("events",), ("history",), ("check",), ("close",), ("resume",)):
        said = run("breaker", *argv, "--scope", "production/wbe")
        assert said.code == 0
        assert "nothing was recorded of production/wbe before; this state knows production/web" in said.err
    assert "nothing to close" in run("breaker", "close", "--scope", "production/wbe").out
    assert "production/web/web9" in run("breaker", "status", "--scope", "production/web/web9").err
    assert not place.log()


@pytest.mark.parametrize("argv", [("open", "--reason", "x"), ("threshold", "4"), ("pause", "--reason", "x", "--for", "1h")])
def test_service_can_be_blocked_before_its_first_run(place: Place, run: Run, argv: tuple[str, ...]) -> None:
    said = run("breaker", *argv, "--scope", "new/service")
    assert (said.code, "nothing was recorded" in said.err) == (0, True)
    assert len(place.log()) >= 1


# Who did it.


@pytest.mark.parametrize(("sudo_user", "by"), [("grace", "grace"), ("", None), ("gr\nace", None), ("x" * 101, None)])
def test_the_person_is_recorded(place: Place, run: Run, monkeypatch: pytest.MonkeyPatch, sudo_user: str, by: str | None) -> None:
    import pwd

    monkeypatch.setenv("SUDO_USER", sudo_user)
    place.fill()
    run("breaker", "open", "--reason", "maintenance")
    me = pwd.getpwuid(os.getuid()).pw_name
    assert run("breaker", "status", "--json").json["opened_by"] == (by or me)
    assert {event.triggered_by for event in place.log()} == {by or me}


# Text from anywhere.


def test_untrusted_text_is_harmless_in_words_and_exact_in_json(place: Place, run: Run) -> None:
    long = NASTY + "y" * 10240
    name = "[red]web[] {{ 1 }} `id` $(id)"
    records = (record(reason=NASTY, detail=long, triggered_by=NASTY),)
    broken = instance(3, is_open=True, records=records)
    sick = Service(
        instances={name: broken, "web2": instance(1)},
        hold=track(0, is_open=True, reason=long),
        session=session(holder=NASTY),
        pause=Pause(NASTY, NASTY, "2999-01-01T00:00:00.000Z"),
    )
    place.fill(service=sick, events=(Event("2026-01-01T00:00:00.000Z", KEY, "recovery", "failure", long, NASTY),))
    for argv in (("status",), ("events",), ("history",), ("check",), ("open", "--reason", NASTY), ("close", "--reason", NASTY), ("resume",)):
        said = run("breaker", *argv)
        assert said.code in (0, 1)
        assert all(each.isprintable() for each in (said.out + said.err).replace("\n", ""))
        assert max(map(len, said.out.splitlines())) < 2000
    assert run("breaker", "events", "--json").json[0]["reason"] == long
    assert run("breaker", "history", "--json").json[0]["detail"] == long
    assert list(run("breaker", "status", "--json").json["instances"]) == [name, "web2"]


def test_reason_that_is_not_text_is_kept(place: Place) -> None:
    place.fill()
    assert finished("breaker", "open", "--reason", b"caf\xe9 \xff").code == 0
    said = finished("breaker", "status")
    assert (said.code, "caf\\udce9" in said.out) == (0, True)
    assert finished("breaker", "status", "--json").json["trigger_reason"] == "caf\udce9 \udcff"


# `selfheal state`.


def test_state_info_says_which_store_this_is(place: Place, run: Run) -> None:
    place.fill()
    info = run("state", "info", "--json").json
    assert set(info) == {"store_id", "url", "schema", "time", "environments", "services"}
    assert (info["url"], info["services"], info["environments"]) == (place.url, [KEY], ["production"])
    text = run("state", "info", "--state", place.url).out
    assert all(value in text for value in (info["store_id"], place.url, KEY))


def test_state_adopt_lets_this_store_take_over_everywhere(place: Place, run: Run) -> None:
    place.fill()
    place.fill("staging/db")
    other = "0123456789abcdef" * 2
    assert run("state", "adopt", "--from", other, "--reason", "moved").out.count("takes over the hosts of") == 2
    assert [(event.scope, event.action) for event in place.log()] == [("production", "adopted"), ("staging", "adopted")]
    assert "already" in run("state", "--state", place.url, "adopt", "--from", other, "--reason", "moved", "--scope", "staging").out
    assert len(place.log()) == 2
    assert run("state", "adopt", "--from", other, "--reason", "soon", "--scope", "new").code == 0


def test_state_adopt_refuses_what_cannot_be_meant(place: Place, run: Run) -> None:
    other = "0123456789abcdef" * 2
    assert "--scope" in run("state", "adopt", "--from", other, "--reason", "x").one_line
    place.fill()
    own = run("state", "info", "--json").json["store_id"]
    for argv in (
        ("--from", "x", "--reason", "x"),
        ("--from", own, "--reason", "x"),
        ("--from", other, "--reason", " "),
        ("--from", other),
        ("--reason", "x"),
        ("--from", other, "--reason", "x", "--scope", KEY),
    ):
        assert run("state", "adopt", *argv).one_line
    assert not place.log()
