# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What no rung can cure reaches a person, and nobody acts on it (lesson 46)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.certificates import Authority
from tests.lab.endpoint import endpoint
from tests.lab.service import store

from .site import Instance, Site, now

pytestmark = pytest.mark.e2e

STORE = "/srv/store"
TLS_PORT = 8443
CA = "/etc/ssl/own.pem"


@pytest.fixture
def shop(site: Site) -> Iterator[Instance]:
    """A service with a database on a small disk, all of it in order."""
    (shop,) = site.deploy("shop")
    with store.small_disk(shop.host, STORE) as place:
        store.database(place / "notes.db")
        critical = {"kind": "storage", "path": STORE, "critical": True}
        shop.variables["recovery_probes"] += [critical, {"kind": "disk", "paths": [STORE]}]
        site.write_inventory()
        yield shop


@pytest.mark.parametrize(("fault", "words"), [("damaged", "the SQLite file is damaged: notes.db"), ("full", "% full (more than 95)")])
def test_corrupt_database_and_full_disk_reach_a_person_and_nobody_acts(site: Site, shop: Instance, fault: str, words: str) -> None:
    since = now()
    assert site.recover().status == 0
    place = shop.host.path(STORE)
    if fault == "damaged":
        store.damage(place / "notes.db")
        # The answer of a minute ago would stand for an hour.
        shop.host.run(["rm", "-rf", "/var/lib/selfheal/host/probes"])
    else:
        store.fill(place, mib=3.7)

    for _run in range(2):
        run = site.recover()
        assert run.status == 2, run.output
        assert run.told("shop1") == ("escalated", "report_only")
        assert words in run.detail("shop1")
        assert run.result["needs_person"]

    assert site.mutations(since) == {}
    assert shop.status() == 200
    assert site.breaker("events", "default/shop") == []


def test_a_store_named_in_the_environment_is_measured_where_the_service_runs(site: Site, shop: Instance) -> None:
    """`STORAGE_PATH` is read on the control node, and means a path of the instance's host."""
    del shop.variables["recovery_probes"]
    shop.variables["recovery_url"] = f"http://localhost:{shop.port}"
    site.write_inventory()
    run = site.recover(STORAGE_PATH=STORE)
    assert (run.status, run.told("shop1")) == (0, ("none", "not_sick")), run.output
    run = site.recover(STORAGE_PATH="/srv/nowhere")
    assert run.told("shop1") == ("none", "degraded_watching")
    assert "/srv/nowhere does not exist" in run.detail("shop1")


def test_expired_certificate_reaches_a_person_and_nobody_acts(site: Site, tmp_path: Path) -> None:
    """The service behind it answers well; whoever asks it is turned away all the same."""
    (shop,) = site.deploy("shop")
    authority = Authority(tmp_path / "authority")
    shop.host.write(CA, authority.certificate.read_text())
    shop.variables["recovery_probes"] += [{"kind": "http", "name": "https", "url": f"https://localhost:{TLS_PORT}/", "ca_path": CA, "attempts": 1}]
    site.write_inventory()
    since = now()
    with endpoint(shop.host, TLS_PORT, pair=authority.issue(days=30)):
        assert site.recover().status == 0

    with endpoint(shop.host, TLS_PORT, pair=authority.issue(days=-1, since=-30)):
        for _run in range(2):
            run = site.recover()
            assert run.status == 2, run.output
            assert run.told("shop1") == ("escalated", "report_only")
            assert "certificate has expired" in run.detail("shop1")
            assert run.result["instances"]["shop1"]["verdict_before"] == "unhealthy"
            assert run.result["needs_person"]

    assert site.mutations(since) == {}
    assert shop.status() == 200
    assert site.breaker("events", "default/shop") == []
