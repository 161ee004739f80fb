#!/usr/bin/python
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: circuit_breaker
short_description: Open, close and check the circuit breakers of a service, and pause its recovery
version_added: 0.1.0
author:
  - selfheal.recovery contributors (@selfheal)
description:
  - Does what the commands of C(selfheal breaker) do, in one transaction on the state store.
  - It runs where the state is, which is the control node as a rule. Give it C(delegate_to) V(localhost) and C(run_once) in a play over other hosts.
  - It fails when the state cannot be read or written, and then nothing was changed.
  - Events name the user this runs as, or who called C(sudo).
extends_documentation_fragment:
  - selfheal.recovery.instance.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows the status before and after.
  idempotent:
    support: full
options:
  state:
    description:
      - V(open) stops automated action until a person closes the breaker. What is open already stays as it is, with its first reason.
      - V(closed) lets it act again, and forgets the failures so far.
      - V(checked) opens every breaker that is at or over its threshold, but not for a count that has not changed since the last close.
      - V(paused) leaves it alone for O(duration). A pause that holds for the same O(reason) stays as it is. For a longer one, give another reason.
      - V(resumed) ends a pause before its time.
      - Without it, only thresholds are set.
    type: str
    choices: [open, closed, checked, paused, resumed]
  scope:
    description:
      - A service as C(environment/service), or an instance as C(environment/service/instance).
      - For V(paused) and V(resumed) of O(state) also an environment alone.
      - Defaults to the environment variable E(RECOVERY_DEFAULT_SCOPE), else to the only service the state knows. With several it has to be named,
        and with none as well, except for O(state=checked).
    type: str
  track:
    description:
      - Which of the two breakers is meant, for V(open), V(closed) and V(checked) of O(state). An instance has only V(recovery).
    type: str
    choices: [recovery, deployment, both]
    default: both
  reason:
    description:
      - Why, for those who read it later. At most 500 characters.
      - Needed for V(open) and V(paused) of O(state).
    type: str
    default: ''
  keep_failures:
    description:
      - Whether to keep the failure counts, for O(state=closed). A kept count that is at its threshold opens the breaker with the next failure.
    type: bool
    default: false
  threshold:
    description:
      - How many recovery failures in a row open the breaker of an instance of this service, from 1 to 1000.
      - From now on it stands above the one in the inventory.
    type: int
  deployment_threshold:
    description:
      - The same for failed deployments of this service.
    type: int
  duration:
    description:
      - How long to pause, at most 24 hours, for example V(30m), V(2h), V(1h30m) or V(1d).
      - Needed for O(state=paused).
    type: str
  store:
    description:
      - URL of the state store, for example V(sqlite:////var/lib/selfheal/state.db).
      - Defaults to the environment variable E(RECOVERY_STATE), else to the embedded store of the user this runs as.
    type: str
seealso:
  - module: selfheal.recovery.circuit_breaker_info
"""

EXAMPLES = r"""
- name: Stop automated action on the web service
  selfheal.recovery.circuit_breaker:
    state: open
    scope: production/web
    reason: database migration
  delegate_to: localhost
  run_once: true

- name: Let it act again, now that the cause is mended
  selfheal.recovery.circuit_breaker:
    state: closed
    scope: production/web
  delegate_to: localhost
  run_once: true

- name: Open what is over its threshold
  selfheal.recovery.circuit_breaker:
    state: checked
    scope: production/web
    threshold: 5
  delegate_to: localhost
  run_once: true
  register: checked

- name: Leave a whole environment alone for two hours
  selfheal.recovery.circuit_breaker:
    state: paused
    scope: production
    duration: 2h
    reason: network maintenance
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
scope:
  description: What it was about.
  returned: success
  type: str
  sample: production/web
status:
  description:
    - The status afterwards, as in RV(selfheal.recovery.circuit_breaker_info#module:status). In check mode what it would be.
    - Of an environment only C(scope), C(paused) and C(adopts).
  returned: success
  type: dict
events:
  description: What was changed, one entry per event. In check mode what would be.
  returned: success
  type: list
  elements: dict
opened:
  description: Scopes of which a breaker was opened. In check mode would be.
  returned: success
  type: list
  elements: str
reason:
  description: Why it failed, in a word. V(state_unreadable) or V(bad_input).
  returned: failure
  type: str
"""

import os
from contextlib import closing
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters import guard_commands as guards
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.actor import actor
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.durations import seconds_of
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.guard_target import Target
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store, resolve_url
from ansible_collections.selfheal.recovery.plugins.module_utils._domain import operator as person
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.breaker import DEPLOYMENT, RECOVERY
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec, finish

PAUSES = ("paused", "resumed")


def argument_spec() -> Spec:
    return {
        "state": {"type": "str", "choices": ["open", "closed", "checked", "paused", "resumed"]},
        "scope": {"type": "str"},
        "track": {"type": "str", "choices": [RECOVERY, DEPLOYMENT, person.BOTH], "default": person.BOTH},
        "reason": {"type": "str", "default": ""},
        "keep_failures": {"type": "bool", "default": False},
        "threshold": {"type": "int"},
        "deployment_threshold": {"type": "int"},
        "duration": {"type": "str"},
        "store": {"type": "str", "no_log": True, "fallback": (env_fallback, ["RECOVERY_STATE"])},
    }


def change(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    with closing(open_store(resolve_url(params["store"], os.environ))) as store:
        guard = guards.Guard(store, actor(os.environ), os.environ, dry_run=module.check_mode)
        outcome = run(guard, guard.target(params["scope"], environments=params["state"] in PAUSES), params)
    result = {
        "changed": outcome.changed,
        "scope": outcome.scope,
        "status": dict(outcome.after),
        "events": [event.to_json() for event in outcome.events],
        "opened": [event.scope for event in outcome.events if event.action == "opened"],
    }
    if module._diff:
        result["diff"] = {"before": dict(outcome.before), "after": dict(outcome.after)}
    return result


def run(guard: guards.Guard, chosen: Target, params: dict[str, Any]) -> guards.Outcome:
    state, reason, track = params["state"], params["reason"], params["track"]
    if track != person.BOTH and state not in ("open", "closed", "checked"):
        raise BadInput("expected a track only for the states open, closed and checked", "Leave track out")
    tracks = ((RECOVERY, params["threshold"]), (DEPLOYMENT, params["deployment_threshold"]))
    thresholds = [guards.threshold(name, value) for name, value in tracks if value is not None]
    if state in PAUSES and chosen.scope is None and not thresholds:
        of_environment = guards.pausing_environment(seconds_of(params["duration"]), keep=True) if state == "paused" else person.resume_environment
        return guard.change_environments([chosen.environment], of_environment, reason)[0]
    if state == "checked" and not thresholds:
        return guard.check(chosen, track)
    return guard.change(chosen, guards.in_turn(*thresholds, *command(params)), reason, track)


def command(params: dict[str, Any]) -> list[guards.ServiceCommand]:
    state = params["state"]
    if state == "open":
        return [person.open_breaker]
    if state == "closed":
        return [guards.closing(params["keep_failures"])]
    if state == "checked":
        return [person.check_breaker]
    if state == "paused":
        return [guards.pausing(seconds_of(params["duration"]), keep=True)]
    return [person.resume_service] if state == "resumed" else []


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_one_of=[("state", "threshold", "deployment_threshold")],
        required_if=[("state", "paused", ("duration",))],
        supports_check_mode=True,
    )
    finish(module, lambda: change(module))


if __name__ == "__main__":
    main()
