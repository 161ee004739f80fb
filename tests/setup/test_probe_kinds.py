# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A kind of probe is done when it is written down, and shown at work in every status that it can have."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.registry import COMMON, KINDS, parse
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.verdict import CHECK_STATUSES

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "probes.md").read_text(encoding="utf-8")

# What cannot be by the contract has a test that says so.
NEVER = {
    ("docker", "failed"): "test_docker_is_never_failed_or_soft",
    ("docker", "soft"): "test_docker_is_never_failed_or_soft",
    ("command", "soft"): "test_command_is_never_soft",
}


def names_of_tests() -> set[str]:
    """The names of all tests there are."""
    places = (CHECKOUT / "collections" / "ansible_collections" / "selfheal" / "recovery" / "tests" / "unit", CHECKOUT / "tests")
    return {name for place in places for path in place.rglob("test_*.py") for name in re.findall(r"def (test_\w+)\(", path.read_text(encoding="utf-8"))}


def section(kind: str) -> str:
    """What the page says about a kind."""
    found = re.search(rf"^### `{kind}`$(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"docs/probes.md has no section ### `{kind}`"
    return found[1]


@pytest.mark.parametrize("status", CHECK_STATUSES)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_shown_in_every_status(kind: str, status: str) -> None:
    never = NEVER.get((kind, status))
    if never:
        assert never in names_of_tests()
    else:
        shown = re.compile(rf"test_{kind}_(in_container_)?{status}_")
        assert any(map(shown.match, names_of_tests())), f"expected a test named test_{kind}_{status}_when_…"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_documented_with_its_options_and_statuses(kind: str) -> None:
    text = section(kind)
    documented = set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    statuses = {status for status in CHECK_STATUSES if (kind, status) not in NEVER}
    assert documented == {*KINDS[kind].options, *statuses}


def test_what_is_common_to_all_kinds_is_documented() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("\n### ")[0], re.MULTILINE)) == set(COMMON)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_documented_defaults_are_the_real_ones(kind: str) -> None:
    cells = dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", section(kind), re.MULTILINE))
    for name, option in KINDS[kind].options.items():
        said = cells[name].strip()
        if option.required:
            assert said == "required", name
        elif option.default in ("", [], {}):
            assert said == "-", name
        else:
            value = ", ".join(f"`{each}`" for each in option.default) if isinstance(option.default, list) else f"`{_written(option.default)}`"
            assert said == value, name


def test_examples_can_be_used_as_written() -> None:
    examples = [yaml.safe_load(text) for text in re.findall(r"^```yaml$(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]
    assert len(examples) >= 3
    for example in examples:
        parse(example["recovery_probes"] if isinstance(example, dict) else example)


def _written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
