# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind ``disk``: what counts as full, and for whom. On real full file systems: ``tests/target/test_probes.py``."""

from __future__ import annotations

import os
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters import helper
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.errors import EngineUnreachable, NoSuchContainer
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes import disk
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Unmeasured
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.probing import measure
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import container

GIB = 2**30
LAX = {"soft_percent": 100, "failed_percent": 100, "inodes_soft_percent": 100, "inodes_failed_percent": 100}


def facts(**given):
    plain = {"device": 1, "read_only": False, "size": 100 * GIB, "used": 50 * GIB, "free": 50 * GIB, "inodes": 1000, "inodes_used": 100, "inodes_free": 900}
    return {**plain, **given}


@pytest.fixture
def look(monkeypatch):
    """What the other process will say; what it is asked is kept."""
    look = {"facts": {}, "asked": []}

    def ask(_module, request, _deadline):
        look["asked"] = request["paths"]
        return look["facts"]

    monkeypatch.setattr(disk, "ask", ask)
    return look


def probe(look, inspect=None, **options):
    return measure(kind="disk", inspect=inspect, **options)


def test_disk_healthy_when_there_is_room(tmp_path):
    result = measure(kind="disk", paths=[str(tmp_path)], **LAX)
    found = os.statvfs(str(tmp_path))
    used = found.f_blocks - found.f_bfree
    assert result.status == "healthy"
    assert abs(result.metrics["used_percent"] - 100 * used / (used + found.f_bavail)) < 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"used": 96 * GIB, "free": 4 * GIB}, "96 % full (more than 95)"),
        ({"inodes_used": 960, "inodes_free": 40}, "96 % out of inodes (more than 95)"),
        ({"read_only": True}, "mounted read-only"),
    ],
)
def test_disk_failed_when_space_or_inodes_are_used_up_or_it_is_read_only(look, given, words):
    look["facts"] = {"/": facts(**given)}
    result = probe(look, paths=["/"])
    assert (result.status, words in result.message, disk.KIND.remedy, disk.KIND.critical) == ("failed", True, "report", False)


@pytest.mark.parametrize("given", [{"used": 86 * GIB, "free": 14 * GIB}, {"inodes_used": 860, "inodes_free": 140}])
def test_disk_soft_when_it_is_filling_up(look, given):
    look["facts"] = {"/": facts(**given)}
    assert probe(look, paths=["/"]).status == "soft"


def test_disk_unmeasured_when_a_path_cannot_be_looked_at():
    result = measure(kind="disk", paths=["/no/such/path"])
    assert (result.status, "no such file" in result.message) == ("unmeasured", True)


def test_hung_file_system_is_unmeasured_in_time(monkeypatch):
    monkeypatch.setattr(helper, "_BOOT", "import time; time.sleep(60)")
    began = time.monotonic()
    with pytest.raises(Unmeasured, match="hangs"):
        measure(kind="disk", paths=["/"], deadline=0.5)
    assert time.monotonic() - began < 2


def test_file_system_without_inodes_has_no_shortage_of_them(look):
    look["facts"] = {"/": facts(inodes=0, inodes_used=0, inodes_free=0)}
    result = probe(look, paths=["/"])
    assert (result.status, "inodes_used_percent" in result.metrics) == ("healthy", False)


def test_blocks_kept_for_root_are_not_free_for_a_service(look):
    """Of 100 GiB 90 are used and 5 kept for root: what is left to a service is 5 of 95."""
    look["facts"] = {"/": facts(used=91 * GIB, free=4 * GIB)}
    assert probe(look, paths=["/"]).status == "failed"


def test_worst_path_speaks_for_all(look):
    look["facts"] = {"/": facts(), "/data": facts(device=2, used=90 * GIB, free=10 * GIB)}
    result = probe(look, paths=["/", "/data"])
    assert (result.status, "of /data is 90 % full" in result.message) == ("soft", True)
    assert (result.metrics["used_percent"], result.metrics["free_mib"]) == (90.0, 10 * 1024)


def test_without_paths_it_is_the_root_and_where_the_engine_keeps_the_container(look):
    inspect = container(HostnamePath=f"/data/docker/containers/{'0' * 64}/hostname")
    look["facts"] = {"/": facts(), "/data/docker": facts(device=2, used=99 * GIB, free=GIB)}
    result = probe(look, inspect)
    assert look["asked"] == ["/", "/data/docker"]
    assert (result.status, "/data/docker" in result.message) == ("failed", True)


def test_two_paths_on_one_file_system_count_once(look):
    look["facts"] = {"/": facts(), "/var/lib/docker": facts()}
    assert probe(look, container(HostnamePath="/var/lib/docker/containers/1/hostname")).message == "/ is 50 % full"


@pytest.mark.parametrize("trouble", [EngineUnreachable("silent"), NoSuchContainer("web")])
def test_disk_is_measured_although_the_engine_does_not_tell(look, trouble):
    look["facts"] = {"/": facts()}
    assert probe(look, trouble).status == "healthy"
    assert look["asked"] == ["/"]


@pytest.mark.parametrize("options", [{"paths": ["data"]}, {"soft_percent": 0}, {"failed_percent": 101}, {"inodes_soft_percent": -1}])
def test_options_that_cannot_be_meant(options):
    with pytest.raises(BadInput):
        measure(kind="disk", **options)
