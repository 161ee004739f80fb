# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The modules on every engine but the stock one: what they ask it, and what they make of its answers.

Most of it is said once, in `tests/target`, where the stock engine is asked all of it.
"""

from __future__ import annotations

import json

import pytest

from tests.lab import engines
from tests.target import test_faults
from tests.target.target import Target
from tests.target.test_measuring import (
    test_container_that_does_not_run_is_unhealthy,
    test_digest_is_the_registrys,
    test_docker_health_counts,
    test_healthy_service,
)
from tests.target.test_probes import (
    place,
    test_command_in_container_failed_when_it_does_not_run,
    test_command_in_container_that_does_not_end_is_killed,
    test_command_in_container_unmeasured_when_the_image_has_no_such_program,
    test_disk_measures_where_the_engine_writes_unless_told,
    test_links_in_a_container_do_not_lead_out_of_it,
    test_storage_in_container_failed_when_the_path_is_missing_there,
    test_storage_in_container_healthy_when_its_database_is_in_order,
)
from tests.target.test_restarting import (
    TestEvidence,
    test_cures_what_a_restart_cures,
    test_missing_container_is_not_started,
    test_start_that_the_engine_refuses_is_a_failure,
    test_starts_what_does_not_run,
    test_those_in_its_network_namespace_keep_their_network,
)

__all__ = [
    "TestEvidence",
    "place",
    "test_command_in_container_failed_when_it_does_not_run",
    "test_command_in_container_that_does_not_end_is_killed",
    "test_command_in_container_unmeasured_when_the_image_has_no_such_program",
    "test_container_that_does_not_run_is_unhealthy",
    "test_cures_what_a_restart_cures",
    "test_digest_is_the_registrys",
    "test_disk_measures_where_the_engine_writes_unless_told",
    "test_docker_health_counts",
    "test_healthy_service",
    "test_links_in_a_container_do_not_lead_out_of_it",
    "test_missing_container_is_not_started",
    "test_start_that_the_engine_refuses_is_a_failure",
    "test_starts_what_does_not_run",
    "test_storage_in_container_failed_when_the_path_is_missing_there",
    "test_storage_in_container_healthy_when_its_database_is_in_order",
    "test_those_in_its_network_namespace_keep_their_network",
]

pytestmark = [pytest.mark.lab, pytest.mark.parametrize("index", [name for name in engines.ENGINES if name != engines.STOCK], indirect=True)]


class TestLogs:
    test_lines_from_before_the_last_start_do_not_count = test_faults.TestLogs.test_lines_from_before_the_last_start_do_not_count
    test_log_that_is_not_kept_is_unmeasured = test_faults.TestLogs.test_log_that_is_not_kept_is_unmeasured


def test_the_engine_is_the_one_that_was_asked_for(target: Target, index: int) -> None:
    name = target.lab.plan.engine_names[index]
    info = json.loads(target.host.docker("info", "--format", "{{json .}}"))
    assert info["Driver"] == ("overlayfs" if engines.ENGINES[name].containerd_store else "overlay2")
    assert info["ServerVersion"] != target.lab.hosts[0].docker("version", "--format", "{{.Server.Version}}")


def test_use_of_cpu_and_memory_is_measured(target: Target) -> None:
    target.start(mem_limit="64m")
    (container,) = target.measure(probes=[{"kind": "container", "stats": True}])["health"]["checks"]
    assert container["status"] == "healthy"
    assert "stats_error" not in container["metrics"]
    assert 0 < container["metrics"]["memory_mib"] < container["metrics"]["memory_limit_mib"] == 64
    assert container["metrics"]["cpu_percent"] >= 0


def test_an_engine_that_dropped_all_older_versions_is_understood(target: Target) -> None:
    """As 29 does with those before 1.44: here the engine speaks its newest version only."""
    newest = target.host.docker("version", "--format", "{{.Server.APIVersion}}")
    target.host.kill_dockerd()
    target.host.start_dockerd({"DOCKER_MIN_API_VERSION": newest})
    try:
        assert target.host.docker("version", "--format", "{{.Server.MinAPIVersion}}") == newest
        target.start()
        assert target.measure()["health"]["overall_status"] == "healthy"
        assert target.restart()["outcome"] == "recovered"
    finally:
        target.clear()
        target.host.kill_dockerd()
        target.host.start_dockerd()
