# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is documented is what is accepted."""

from __future__ import annotations

import pytest
import yaml

from ansible_collections.selfheal.recovery.plugins.doc_fragments.instance import ModuleDocFragment
from ansible_collections.selfheal.recovery.plugins.module_utils._act import acting_spec
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.registry import KINDS
from ansible_collections.selfheal.recovery.plugins.module_utils._measure import instance_spec
from ansible_collections.selfheal.recovery.plugins.modules import container_restart, service_health_info

DOCUMENTED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
ACTING = yaml.safe_load(ModuleDocFragment.ACTING)["options"]


def compare(spec, documented, where=""):
    assert set(spec) == set(documented), where
    for name, option in spec.items():
        for key in ("type", "elements", "required", "default", "choices"):
            assert option.get(key) == documented[name].get(key), f"{where}{name}.{key}"
        compare(option.get("options", {}), documented[name].get("suboptions", {}), f"{where}{name}.")


def test_instance_options():
    compare(instance_spec(), DOCUMENTED)


def test_acting_options():
    compare(acting_spec(), {**DOCUMENTED, **ACTING})


@pytest.mark.parametrize("module", [service_health_info, container_restart])
def test_modules_options(module):
    documented = {**DOCUMENTED, **(ACTING if module is container_restart else {}), **yaml.safe_load(module.DOCUMENTATION)["options"]}
    compare(module.argument_spec(), documented)


def test_every_option_of_every_kind_says_its_kind():
    for kind in KINDS.values():
        for name in kind.options:
            assert f"V({kind.name})" in " ".join(DOCUMENTED["probes"]["suboptions"][name]["description"]), f"{kind.name}.{name}"
