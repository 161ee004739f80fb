# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an inspect answer says."""

from __future__ import annotations

from copy import deepcopy
from datetime import datetime, timezone

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._domain import container as containers
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import ID, container

NOW = datetime(2026, 1, 1, 0, 2, tzinfo=timezone.utc)


def with_check(test=("CMD", "x"), **check):
    return container(Config={"Healthcheck": {"Test": list(test), **check}})


def test_facts_of_a_running_container():
    assert containers.facts(container(RestartCount=2), "repo@sha256:x", NOW) == {
        "found": True,
        "id": ID,
        "name": "web",
        "state": "running",
        "health": "",
        "exit_code": 0,
        "oom_killed": False,
        "image": "sha256:" + "1" * 64,
        "image_ref": "registry:5000/web:1",
        "digest": "repo@sha256:x",
        "started_at": "2026-01-01T00:00:00.123456789Z",
        "uptime_s": 119.9,
        "restart_count": 2,
        "start_period_s": 0.0,
        "health_interval_s": 0.0,
        "stop_timeout_s": 10,
    }


def test_missing_container_has_the_same_facts():
    missing = containers.missing("web")
    assert set(missing) == set(containers.facts(container(), "", NOW))
    assert (missing["found"], missing["state"], missing["name"]) == (False, "missing", "web")


@pytest.mark.parametrize(
    ("text", "micro"),
    [("2026-01-01T00:00:00Z", 0), ("2026-01-01T00:00:00.1Z", 100000), ("2026-01-01T00:00:00.123456789Z", 123456), ("2026-01-01T01:00:00.5+01:00", 500000)],
)
def test_engines_time_stamps(text, micro):
    assert containers.moment(text) == datetime(2026, 1, 1, microsecond=micro, tzinfo=timezone.utc)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "", "yesterday"])
def test_never_is_no_moment(text):
    assert containers.moment(text) is None


@pytest.mark.parametrize(
    ("inspect", "expected"),
    [
        (container(), (0, 0)),
        (with_check(test=("NONE",), Interval=10**9), (0, 0)),
        (with_check(), (0, 30)),
        (with_check(Interval=5 * 10**9, StartPeriod=90 * 10**9), (90, 5)),
    ],
)
def test_health_check(inspect, expected):
    assert containers.health_check(inspect) == expected


@pytest.mark.parametrize(
    ("inspect", "grace", "starting"),
    [
        (container(), 60, False),
        (container(), 180, True),
        (container(state="exited"), 180, False),
        (container(state="restarting"), 180, False),
        (container(State={"Health": {"Status": "starting"}}), 0, True),
    ],
)
def test_starting(inspect, grace, starting):
    assert containers.is_starting(inspect, grace, NOW) is starting


def test_clock_set_back_is_no_negative_uptime():
    assert containers.uptime_s(container(), datetime(2025, 1, 1, tzinfo=timezone.utc)) == 0


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("web", "web"),
        ("web:1", "web"),
        ("localhost:5000/a/web", "localhost:5000/a/web"),
        ("localhost:5000/web:1@sha256:ab", "localhost:5000/web"),
        ("web@sha256:ab", "web"),
    ],
)
def test_repository(reference, expected):
    assert containers.repository(reference) == expected


@pytest.mark.parametrize(
    ("reference", "known", "expected"),
    [
        ("r:5000/web:1", ["other@sha256:a", "r:5000/web@sha256:a"], "r:5000/web@sha256:a"),
        ("r:5000/web:1@sha256:b", [], "r:5000/web@sha256:b"),
        ("renamed", ["r/web@sha256:a"], "r/web@sha256:a"),
        ("renamed", ["r/web@sha256:a", "q/web@sha256:a"], ""),
        ("local", [], ""),
    ],
)
def test_digest_is_of_the_containers_own_repository(reference, known, expected):
    assert containers.repo_digest(reference, known) == expected


def test_restart_leaves_no_difference():
    before, after = container(), container(State={"StartedAt": "2026-01-02T00:00:00Z"}, RestartCount=1)
    assert containers.differences(before, after) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"Id": "other"}, ["id"]),
        ({"Image": "sha256:other"}, ["image"]),
        ({"Config": {"Env": ["A=1"]}}, ["Config.Env"]),
        ({"HostConfig": {"Memory": 1}}, ["HostConfig.Memory"]),
        ({"NetworkSettings": {"Networks": {"other": {}}}}, ["networks"]),
    ],
)
def test_every_change_of_identity_or_configuration_is_seen(change, found):
    assert containers.differences(container(), deepcopy(container(**change))) == found
