# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is documented of a role is what it has, and reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

ROLES = Path(__file__).parents[2] / "roles"
NAMES = sorted(path.name for path in ROLES.iterdir() if path.is_dir())


def read(*parts):
    return yaml.safe_load(ROLES.joinpath(*parts).read_text(encoding="utf-8"))


def options(role):
    return read(role, "meta", "argument_specs.yml")["argument_specs"]["main"]["options"]


def worked_out(value):
    """Whether a default is a template, as a whole or in part."""
    return "{{" in json.dumps(value)


@pytest.mark.parametrize("role", NAMES)
def test_every_default_of_a_role_is_documented_as_it_is(role):
    documented = options(role)
    defaults = read(role, "defaults", "main.yml")
    assert set(defaults) - set(documented) == set()
    for name, value in defaults.items():
        if worked_out(value):
            assert "default" not in documented[name], name
            assert "efaults to" in " ".join(documented[name]["description"]), f"{name}: the description has to tell its default"
        else:
            assert (type(documented[name].get("default")), documented[name].get("default")) == (type(value), value), name


@pytest.mark.parametrize("role", NAMES)
def test_every_documented_argument_of_a_role_has_a_default_or_comes_from_the_role_that_includes_it(role):
    defaults = read(role, "defaults", "main.yml")
    own = {name for name in options(role) if name.startswith(f"{role}_")}
    assert own == set(defaults)
    for name in set(options(role)) - own:
        assert "default" not in options(role)[name], f"{name}: its default is another role's"


@pytest.mark.parametrize("role", NAMES)
def test_every_documented_argument_is_read(role):
    """By the role itself, or by one that it includes."""
    places = ("tasks/*.yml", "defaults/main.yml", "vars/main.yml")
    text = "".join(path.read_text(encoding="utf-8") for place in places for path in ROLES.glob(f"*/{place}"))
    unread = [name for name in options(role) if text.count(name) == text.count(f"\n{name}:")]
    assert unread == []


@pytest.mark.parametrize("role", NAMES)
def test_readme_lists_every_argument_with_its_default(role):
    page = ROLES.joinpath(role, "README.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in page.splitlines() if line.startswith("| `")}
    assert set(rows) == {f"`{name}`" for name in options(role)}
    for name, option in options(role).items():
        default = option.get("default")
        if default is not None:
            assert rows[f"`{name}`"] == f"`{default if isinstance(default, str) and default else json.dumps(default)}`", name


def test_recovery_inputs_have_a_default_each():
    assert set(options("recovery")["recovery_inputs"]["options"]) == set(read("recovery", "defaults", "main.yml")["recovery_inputs"])
