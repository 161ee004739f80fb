# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who is meant: `--limit`, groups and empty selections."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import Lab

from .site import Site, now

pytestmark = pytest.mark.e2e

_BYSTANDER = "all: {hosts: {bystander: {ansible_host: 192.0.2.1}}}"


def test_a_limit_neither_skips_the_guard_nor_shrinks_the_fleet(site: Site) -> None:
    """`--limit` skips no guard, and those outside of it are still counted (lesson 29)."""
    wide = site.deploy("wide", 4)
    for each in wide[:3]:
        each.break_until_restart()
    since = now()
    whole = site.recover()
    assert whole.status == 2
    assert {whole.told(each.name) for each in wide[:3]} == {("refused", "blast_radius")}

    one = site.recover("--limit", "wide1")

    assert (one.status, one.told("wide1")) == (2, ("refused", "blast_radius"))
    assert one.detail("wide1").startswith("3 of 4 instances are sick")
    assert list(one.result["instances"]) == ["wide1"]

    site.selfheal("breaker", "open", "--scope", "default/wide", "--reason", "nobody goes there")
    guarded = site.recover("--limit", "wide1")

    assert (guarded.status, guarded.told("wide1")) == (2, ("refused", "breaker_open"))
    assert site.mutations(since) == {}


@pytest.fixture(scope="module")
def sick(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with a sick instance that nobody should touch."""
    with Site(lab, tmp_path_factory.mktemp("selection")) as site:
        (mail,) = site.deploy("mail")
        mail.break_until_restart()
        yield site


@pytest.mark.parametrize(
    ("inventory", "options", "sentence"),
    [
        pytest.param("all: {}", [], "Nothing was selected", id="empty inventory"),
        pytest.param("all: {children: {recovery: {hosts: {}}, other: {hosts: {bystander: {}}}}}", [], "Nothing was selected", id="empty group"),
        pytest.param("", ["-e", "recovery_hosts=strangers"], "Nothing was selected: the pattern 'strangers' matches no host", id="unknown group"),
        pytest.param(_BYSTANDER, ["--limit", "bystander"], "Nothing was selected", id="limit to a host that is not a member"),
        pytest.param("", ["--limit", "nobody"], "leaves us with no hosts to target", id="limit to a host that does not exist"),
    ],
)
def test_an_empty_selection_is_an_error_and_never_everything(sick: Site, inventory: str, options: list[str], sentence: str) -> None:
    """An empty selection is not "everything", and not a healthy fleet either (lesson 28)."""
    since = now()
    places = [sick.inventory]
    if inventory:
        other = sick.directory / "other.yml"
        other.write_text(f"---\n{inventory}\n")
        places = [*places, other] if inventory == _BYSTANDER else [other]

    run = sick.recover(*options, inventories=places)

    assert run.status != 0
    assert sentence in run.output
    assert "Traceback" not in run.output
    assert not run.reported
    assert sick.breaker("events", "default/mail") == []
    assert sick.mutations(since) == {}
