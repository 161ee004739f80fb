#!/usr/bin/python
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_report
short_description: Write down what a recovery run did, why, and what a person should do next
version_added: 0.1.0
author:
  - selfheal.recovery contributors (@selfheal)
description:
  - Writes C(result.json), the authority on what a run came to, and the same for people as C(report.md), into a directory of the run.
  - A directory of an older run is removed when there are more than O(kept) of them.
  - Appends the page to the file that the environment variable E(GITHUB_STEP_SUMMARY) names, when it is set.
  - In check mode nothing is written.
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: none
    details: Every run has a report of its own.
options:
  dest:
    description:
      - Directory of the reports. It is created with mode 0700 when it is missing.
      - Defaults to C(reports) beside the embedded state store.
    type: path
  kept:
    description: How many runs to keep.
    type: int
    default: 200
  decision:
    description: What M(selfheal.recovery.recovery_session) returned last.
    type: dict
    required: true
  begun:
    description: What M(selfheal.recovery.recovery_session) returned before any step.
    type: dict
    default: {}
  probes:
    description: Results of M(selfheal.recovery.service_health_info) by instance.
    type: dict
    default: {}
  steps:
    description: What the steps registered, by instance.
    type: dict
    default: {}
  inputs:
    description: Why the run was started.
    type: dict
    default: {}
seealso:
  - module: selfheal.recovery.recovery_session
"""

EXAMPLES = r"""
- name: Write the report
  selfheal.recovery.recovery_report:
    decision: "{{ recovery_settlement }}"
    probes: "{{ hostvars | selfheal.recovery.registered(ansible_play_hosts_all, 'recovery_probe') }}"
  delegate_to: localhost
  become: false
  run_once: true
  register: report_result
"""

RETURN = r"""
path:
  description: Directory of this run's report, empty in check mode.
  returned: always
  type: str
lines:
  description: The run in a few lines.
  returned: always
  type: list
  elements: str
headline:
  description: The run in one line.
  returned: always
  type: str
needs_person:
  description: Whether a person is needed.
  returned: always
  type: bool
summary:
  description: The run in short, for whoever started it.
  returned: always
  type: dict
  contains:
    run_id:
      description: The session, or the run when no session was begun.
      type: str
    outcomes:
      description: How many instances came to what.
      type: dict
    instances:
      description: Outcome and reason by instance.
      type: dict
    report:
      description: Directory of the report.
      type: str
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.reports import default_directory, write
from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec, finish


def argument_spec() -> Spec:
    return {
        "dest": {"type": "path"},
        "kept": {"type": "int", "default": 200},
        "decision": {"type": "dict", "required": True},
        "begun": {"type": "dict", "default": {}},
        "probes": {"type": "dict", "default": {}},
        "steps": {"type": "dict", "default": {}},
        "inputs": {"type": "dict", "default": {}},
    }


def reported(params: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    told = {key: params[key] for key in ("decision", "begun", "probes", "steps", "inputs")}
    return write(params["dest"] or default_directory(os.environ), params["kept"], told, os.environ, dry_run)


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: reported(module.params, module.check_mode))


if __name__ == "__main__":
    main()
