# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventories for the lab's hosts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from . import keys
from .plan import Plan

Instances = Mapping[str, tuple[int, Mapping[str, Any]]]


def ssh_variables(plan: Plan, number: int) -> dict[str, str]:
    """What Ansible must be told to reach a host; only from within the lab's control namespace."""
    return {
        "ansible_host": plan.address(number),
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(plan.state / "id_ed25519"),
        "ansible_ssh_common_args": " ".join(keys.ssh_options(plan)),
        "ansible_control_path_dir": str(plan.control_sockets),
        "ansible_python_interpreter": "/usr/bin/python3",
    }


def text(plan: Plan, instances: Instances, variables: Mapping[str, Any] | None = None) -> str:
    """A YAML inventory with all instances in the group `recovery`; `variables` are the group's."""
    group: dict[str, Any] = {"hosts": {name: ssh_variables(plan, index + 1) | dict(given) for name, (index, given) in instances.items()}}
    if variables:
        group["vars"] = dict(variables)
    return "---\n" + _yaml({"all": {"children": {"recovery": group}}})


def _yaml(node: Mapping[str, Any], depth: int = 0) -> str:
    """Mappings as indented blocks, everything else as JSON, which YAML reads."""
    lines = []
    for key, value in node.items():
        head = "  " * depth + json.dumps(key) + ":"
        if isinstance(value, Mapping) and value:
            lines.append(f"{head}\n{_yaml(value, depth + 1)}")
        else:
            lines.append(f"{head} {json.dumps(value)}\n")
    return "".join(lines)
