#!/usr/bin/python
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery_session
short_description: Admit, advance and settle recoveries at the gate
version_added: 0.1.0
author:
  - selfheal.recovery contributors (@selfheal)
description:
  - The one place where recoveries are decided. It takes what was measured on all selected instances, reads the guard state once, decides on
    every instance, and writes the attempts of those that may be repaired in the same transaction, before anything acts.
  - It returns facts, and does not fail for a decision. State that cannot be read or written refuses every instance with
    V(state_unreadable).
  - Run it once for all hosts, on the control node (C(run_once), C(delegate_to), C(become=false)).
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details: >-
      Decides with the same functions on the state as it is, and changes nothing in it. No session begins.
      An embedded store that is missing is created, empty.
  diff_mode:
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
    details: The events of the guard state tell what changed.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second invocation indicates no change.
    support: partial
    details: Settling is idempotent by session. Beginning remembers each measurement.
options:
  state:
    description:
      - V(begun) decides on what was measured, and begins a session for every service with something to repair.
      - V(advanced) takes the results of the steps that ran, renews the leases, and returns each instance's next step. It expects the result of
        every step it handed out, which is what the linear strategy gives.
      - V(settled) settles every attempt of these sessions and gives their leases back.
    type: str
    choices: [begun, advanced, settled]
    required: true
  store:
    description:
      - URL of the state store, for example C(sqlite:////var/lib/selfheal/state.db).
      - Empty means the environment variable E(RECOVERY_STATE), and without that the embedded default.
    type: str
    default: ''
  results:
    description:
      - With O(state=begun) the results of M(selfheal.recovery.service_health_info) by instance.
      - Else what the steps registered, by instance.
    type: dict
    required: true
  fleet:
    description:
      - Scopes of all instances of the inventory, whatever C(--limit) says, with O(state=begun). Limits on how much may be sick count these.
    type: list
    elements: str
    default: []
  inputs:
    description:
      - Why the run was started, with O(state=begun). Data, never templates.
    type: dict
    default: {}
    suboptions:
      health_status:
        description: What the caller believes. It is recorded, and decides nothing.
        type: str
        choices: [healthy, degraded, unhealthy, unknown]
        default: unknown
      recovery_reason:
        description: Why recovery was asked for. V(manually_forced) runs the first rung on a healthy instance too.
        type: str
        choices: [health_check_failed, persistent_degradation, service_unavailable, functionality_failed, manually_forced]
        default: health_check_failed
      triggered_by:
        description: The door the run came through.
        type: str
        choices: [manual, schedule, workflow, awx, event]
        default: manual
      monitoring_session_id:
        description: The caller's own identifier, at most 500 characters.
        type: str
        default: ''
      skip_recovery_actions:
        description: Go straight to the selection of another artifact.
        type: bool
        default: false
      force_redeployment:
        description: Redeploy even what is healthy.
        type: bool
        default: false
  decision:
    description:
      - What this module returned before, with O(state=advanced) and O(state=settled).
    type: dict
    default: {}
seealso:
  - module: selfheal.recovery.service_health_info
  - module: selfheal.recovery.container_restart
  - module: selfheal.recovery.circuit_breaker
"""

EXAMPLES = r"""
- name: Decide, and write every attempt before it acts
  selfheal.recovery.recovery_session:
    state: begun
    results: "{{ hostvars | selfheal.recovery.registered(ansible_play_hosts_all, 'recovery_probe') }}"
    fleet: "{{ hostvars | selfheal.recovery.fleet }}"
    inputs:
      triggered_by: schedule
  delegate_to: localhost
  become: false
  run_once: true
  register: recovery_decision

- name: Settle every attempt
  selfheal.recovery.recovery_session:
    state: settled
    decision: "{{ recovery_decision }}"
    results: "{{ hostvars | selfheal.recovery.registered(ansible_play_hosts_all, '__recovery_step') }}"
  delegate_to: localhost
  become: false
  run_once: true
  register: recovery_decision
"""

RETURN = r"""
instances:
  description: What every instance is told, by name.
  returned: always
  type: dict
  contains:
    action:
      description: V(none), V(repair), V(refused) or V(escalate).
      type: str
    reason:
      description: Why, in a word.
      type: str
      sample: not_sick
    detail:
      description: Why, in a sentence.
      type: str
    outcome:
      description: What the run came to for it so far. V(none), V(recovered), V(refused), V(escalated), V(unreachable) or V(internal_error).
      type: str
    session_id:
      description: The session it belongs to, empty when nothing is to be done with it.
      type: str
    wave:
      description: Position in the order in which instances of one service are repaired.
      type: int
    step:
      description: The rung to run now, V(wait) while others have their turn, or empty.
      type: str
    role:
      description: The role that runs the step, or empty.
      type: str
    fence:
      description: What the instance's host checks before it obeys.
      type: dict
    rung:
      description: The rung that settled it.
      type: str
    scope:
      description: The instance's scope.
      type: str
sessions:
  description: The sessions of this run by service.
  returned: always
  type: dict
  sample: {production/web: recovery-20260101T000000Z-1f2e3d4c}
breakers:
  description: Status of the circuit breakers by service, as the C(selfheal breaker status --json) command has it.
  returned: always
  type: dict
store_id:
  description: Identity of the state store.
  returned: always
  type: str
now:
  description: Time of the decision, by the store's clock.
  returned: always
  type: str
"""

import os
import socket
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.actor import actor
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.gate import Gate
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store, resolve_url
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.decide import REPAIR
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.inputs import DOORS, REASONS_TO_ACT
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.verdict import UNKNOWN, VERDICTS
from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec, finish


def argument_spec() -> Spec:
    return {
        "state": {"type": "str", "required": True, "choices": ["begun", "advanced", "settled"]},
        "store": {"type": "str", "default": "", "no_log": True},
        "results": {"type": "dict", "required": True},
        "fleet": {"type": "list", "elements": "str", "default": []},
        "inputs": {
            "type": "dict",
            "default": {},
            "options": {
                "health_status": {"type": "str", "choices": list(VERDICTS), "default": UNKNOWN},
                "recovery_reason": {"type": "str", "choices": list(REASONS_TO_ACT), "default": REASONS_TO_ACT[0]},
                "triggered_by": {"type": "str", "choices": list(DOORS), "default": DOORS[0]},
                "monitoring_session_id": {"type": "str", "default": ""},
                "skip_recovery_actions": {"type": "bool", "default": False},
                "force_redeployment": {"type": "bool", "default": False},
            },
        },
        "decision": {"type": "dict", "default": {}},
    }


def decided(params: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    if params["state"] != "begun" and not params["decision"]:
        raise BadInput(f"state={params['state']} needs the decision of the call before it", "Hand it on: decision")
    url = resolve_url(params["store"] or None, os.environ)
    gate = Gate(lambda: open_store(url), f"{actor(os.environ)}@{socket.gethostname()}", dry_run)
    if params["state"] == "begun":
        decision = gate.begun(params["results"], params["fleet"], params["inputs"])
        changed = any(told["action"] == REPAIR for told in decision["instances"].values())
    else:
        step = gate.advanced if params["state"] == "advanced" else gate.settled
        decision = step(params["decision"], params["results"])
        changed = bool(decision["sessions"])
    return {**decision, "changed": changed}


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: decided(module.params, module.check_mode))


if __name__ == "__main__":
    main()
