#!/usr/bin/python
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: circuit_breaker_info
short_description: Show the circuit breakers of a service, with their history and events
version_added: 0.1.0
author:
  - selfheal.recovery contributors (@selfheal)
description:
  - Returns what C(selfheal breaker) shows with C(status), C(history) and C(events), and what it exports.
  - It runs where the state is, which is the control node as a rule. Give it C(delegate_to) V(localhost) and C(run_once) in a play over other hosts.
  - It fails when the state cannot be read. What cannot be read is never shown as closed.
extends_documentation_fragment:
  - selfheal.recovery.instance.attributes
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
options:
  scope:
    description:
      - A service as C(environment/service), or an instance as C(environment/service/instance).
      - Defaults to the environment variable E(RECOVERY_DEFAULT_SCOPE), else to the only service the state knows. With several it has to be named.
      - With none the answer is about C(default/default), which is closed.
    type: str
  limit:
    description:
      - How many of the newest events to return.
    type: int
    default: 10
  store:
    description:
      - URL of the state store, for example V(sqlite:////var/lib/selfheal/state.db).
      - Defaults to the environment variable E(RECOVERY_STATE), else to the embedded store of the user this runs as.
    type: str
seealso:
  - module: selfheal.recovery.circuit_breaker
"""

EXAMPLES = r"""
- name: Look at the breakers of the web service
  selfheal.recovery.circuit_breaker_info:
    scope: production/web
  delegate_to: localhost
  run_once: true
  register: breaker

- name: Stop when a person has to look first
  ansible.builtin.assert:
    that: breaker.status.status == "closed"
    fail_msg: "{{ breaker.status.opened_by }} opened it at {{ breaker.status.opened_at }}"
"""

RETURN = r"""
scope:
  description: What it is about.
  returned: success
  type: str
  sample: production/web
known:
  description: Whether the state has ever seen it. What was never seen is closed, with no failures.
  returned: success
  type: bool
status:
  description: What C(selfheal breaker status --json) prints. What never happened is V(null).
  returned: success
  type: dict
  contains:
    status:
      description: V(open) when any track is, else V(closed).
      type: str
    recovery_status:
      description: State of the recovery track. V(open) when it is for the service or any instance shown.
      type: str
    deployment_status:
      description: State of the deployment track.
      type: str
    recovery_failure_count:
      description: Recovery failures in a row, the highest of the instances shown.
      type: int
    deployment_failure_count:
      description: Failed deployments in a row.
      type: int
    recovery_threshold:
      description: Failures that open the recovery track.
      type: int
    deployment_threshold:
      description: Failures that open the deployment track.
      type: int
    last_recovery_failure_time:
      description: When recovery failed the last time.
      type: str
    last_recovery_failure_reason:
      description: Why.
      type: str
    last_deployment_failure_time:
      description: When a deployment failed the last time.
      type: str
    last_deployment_failure_reason:
      description: Why.
      type: str
    opened_at:
      description: When the latest of the open tracks was opened.
      type: str
    opened_by:
      description: Who opened it.
      type: str
    last_trigger:
      description: What opened a track the last time. V(threshold), V(daily_budget), V(check) or V(manual).
      type: str
    trigger_reason:
      description: The reason given then.
      type: str
    last_override:
      description: When a person last deployed past an open deployment track.
      type: str
    override_by:
      description: Who did.
      type: str
    override_reason:
      description: Why.
      type: str
    scope:
      description: What it is about.
      type: str
    paused:
      description: Until when it is paused, by whom and why.
      type: str
    session:
      description: The session that runs.
      type: str
    instances:
      description: State of each instance by its name.
      type: dict
history:
  description: Settled recovery attempts, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    session_id:
      description: The session it was part of.
      type: str
    scope:
      description: The instance.
      type: str
    started_at:
      description: When it began.
      type: str
    settled_at:
      description: When it was settled.
      type: str
    outcome:
      description: V(recovered) until it is V(proven) or has V(relapsed), or V(failed).
      type: str
    reason:
      description: Why it began, or why it failed.
      type: str
    rung:
      description: The last action.
      type: str
    triggered_by:
      description: The door it came through.
      type: str
    detail:
      description: More about it.
      type: str
events:
  description: The newest events, oldest first.
  returned: success
  type: list
  elements: dict
  contains:
    timestamp:
      description: When it happened, RFC 3339, UTC.
      type: str
    scope:
      description: The service or instance.
      type: str
    track:
      description: The track, empty when it is about neither.
      type: str
    action:
      description: What happened.
      type: str
    reason:
      description: Why.
      type: str
    triggered_by:
      description: The door it came through, or the person.
      type: str
    session_id:
      description: The session that did it.
      type: str
    failure_count:
      description: The track's failures afterwards.
      type: int
    threshold:
      description: The track's threshold.
      type: int
export:
  description:
    - What C(selfheal breaker status --export) writes. The keys of RV(status), and C(timestamp), C(recovery_history), C(event_log) and
      C(threshold_status).
  returned: success
  type: dict
reason:
  description: Why it failed, in a word. V(state_unreadable) or V(bad_input).
  returned: failure
  type: str
"""

import os
from contextlib import closing
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.guard_commands import EVENTS_SHOWN, Guard
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.guard_target import NOBODY
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.stores import open_store, resolve_url
from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec, finish


def argument_spec() -> Spec:
    return {
        "scope": {"type": "str"},
        "limit": {"type": "int", "default": EVENTS_SHOWN},
        "store": {"type": "str", "no_log": True, "fallback": (env_fallback, ["RECOVERY_STATE"])},
    }


def read(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    with closing(open_store(resolve_url(params["store"], os.environ))) as store:
        guard = Guard(store, "", os.environ)
        chosen = guard.target(params["scope"])
        view = guard.view(chosen.scope or NOBODY)
        return {
            "changed": False,
            "scope": str(view.scope),
            "known": view.known,
            "status": view.status(),
            "history": view.history(),
            "events": [event.to_json() for event in guard.events(chosen, params["limit"])],
            "export": guard.export(view),
        }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: read(module))


if __name__ == "__main__":
    main()
