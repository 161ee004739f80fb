#!/usr/bin/python
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: container_restart
short_description: Restart one instance's container, and verify that this cured it
version_added: 0.1.0
author:
  - selfheal.recovery contributors (@selfheal)
description:
  - Takes the host's lock for the instance, saves evidence, restarts the container as it is, and measures it with its own probes until it
    has been healthy for a while or the time for that is over. All in one call.
  - Running, exited, created and restarting containers are restarted. A paused one was paused by a person, and is left alone.
  - Containers that use its network (C(network_mode) C(container:)) are restarted after it, because they would be left without one.
  - It returns facts, and never fails for what it found or decided. With its action plugin it does not fail for an unreachable host either.
  - It does fail for arguments that cannot be meant.
extends_documentation_fragment:
  - selfheal.recovery.instance
  - selfheal.recovery.instance.acting
  - selfheal.recovery.instance.attributes
attributes:
  check_mode:
    support: full
    details: Reads the host's guard and measures, says whether it would restart, and changes nothing.
  diff_mode:
    support: full
  idempotent:
    support: none
    details: Whoever calls it has decided that the container is to be restarted.
options:
  stop_grace:
    description:
      - Seconds the container is given to stop before it is killed, up to 300.
      - Defaults to its own.
    type: int
seealso:
  - module: selfheal.recovery.service_health_info
"""

EXAMPLES = r"""
- name: Restart what the gate decided to restart
  selfheal.recovery.container_restart:
    scope: production/web/{{ inventory_hostname }}
    container: web
    probes:
      - kind: docker
      - kind: container
      - kind: http
        url: http://localhost:8080/health
    fence: "{{ decision.fence }}"
  register: step
"""

RETURN = r"""
outcome:
  description:
    - V(recovered) when it was restarted and has been healthy since.
    - V(failed) when it was restarted, or may have been, and is not verified healthy.
    - V(refused) when a rule of this host stands against it, or a person paused it.
    - V(not_started) when there was nothing to restart, or no engine to ask. Also what check mode returns.
    - V(unreachable) when the host did not answer.
  returned: always
  type: str
  sample: recovered
reason:
  description:
    - Why, in a word. V(verified), V(not_verified), V(container_replaced), V(container_paused), V(container_missing), V(engine_timeout),
      V(engine_unreachable), V(engine_error), V(host_busy), V(foreign_store), V(fence_stale), V(lease_expired), V(guard_unreadable),
      V(unreachable), V(module_failed), V(task_timeout) or V(check_mode).
  returned: always
  type: str
detail:
  description: Why, in a sentence.
  returned: always
  type: str
mutated:
  description: Whether a change reached the engine, or may have.
  returned: always
  type: bool
health:
  description: The last measurement, as in RV(selfheal.recovery.service_health_info#module:health). Empty when it did not get that far.
  returned: always
  type: dict
observed:
  description: Facts of the last measurement, as in RV(selfheal.recovery.service_health_info#module:observed). Empty when it did not get that far.
  returned: always
  type: dict
evidence:
  description: What was saved before the restart.
  returned: always
  type: dict
  contains:
    path:
      description: Directory on the host, empty when nothing was saved.
      type: str
    files:
      description: Size in bytes by name of the file.
      type: dict
    errors:
      description: What could not be saved.
      type: list
      elements: str
    captured:
      description: Whether this call saved it. Otherwise an earlier action of the session did.
      type: bool
waited_s:
  description: Seconds spent verifying.
  returned: always
  type: float
unfinished:
  description: Journal of an earlier action that was left half done on this instance, or V(null).
  returned: always
  type: dict
rung:
  description: Name of the action.
  returned: always
  type: str
  sample: container_restart
step:
  description: O(fence.step).
  returned: always
  type: int
scope:
  description: O(scope).
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfheal.recovery.plugins.module_utils._act import acting_spec, container_restart
from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec, finish


def argument_spec() -> Spec:
    return {**acting_spec(), "stop_grace": {"type": "int"}}


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: container_restart(module.params, bool(module.check_mode), bool(module._diff)))


if __name__ == "__main__":
    main()
