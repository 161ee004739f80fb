#!/usr/bin/python
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: service_health_info
short_description: Measure one instance of a service
version_added: 0.1.0
author:
  - selfheal.recovery contributors (@selfheal)
description:
  - Runs all probes of one instance at once, where the instance runs, and returns the verdict together with the facts that decisions rest on.
  - It never fails because the service is down. With its action plugin it does not fail for an unreachable host either, or for a host
    that cannot run it. The verdict is V(unknown) then, and RV(unreachable_host) tells the two apart.
  - It does fail for arguments that cannot be meant.
extends_documentation_fragment:
  - selfheal.recovery.instance
  - selfheal.recovery.instance.attributes
attributes:
  check_mode:
    support: full
    details: Only measures, and does so in check mode as well. Probes that write to the service do not run then, and RV(health.warnings) says so.
  diff_mode:
    support: N/A
    details: Changes nothing.
  idempotent:
    support: full
options:
  session_id:
    description:
      - Handed through to RV(health.session_id).
    type: str
    default: ''
  policy:
    description:
      - Handed through to RV(policy), for whoever decides on the result. It does not travel to the host.
    type: dict
    default: {}
  until_healthy_for:
    description:
      - Measure again and again until the instance has been healthy for this many seconds without a break. V(0) measures once.
      - Probes with O(probes[].remedy=report) do not count in this.
    type: float
    default: 0
  timeout:
    description:
      - Seconds the instance may take to become healthy, with O(until_healthy_for). A window that began in time may end after it.
    type: float
    default: 60
  interval:
    description:
      - Seconds between two measurements, with O(until_healthy_for).
    type: float
    default: 1
seealso:
  - module: selfheal.recovery.container_restart
"""

EXAMPLES = r"""
- name: Measure the web service where it runs
  selfheal.recovery.service_health_info:
    scope: production/web/{{ inventory_hostname }}
    container: web
    probes:
      - kind: docker
      - kind: container
      - kind: http
        url: http://localhost:8080/health
      - kind: command
        name: queue
        argv: [/usr/local/bin/queue-length, --below, "1000"]
        remedy: report
  register: measured

- name: Measure what it answers over TLS, its certificate, its log and its tailnet
  selfheal.recovery.service_health_info:
    scope: production/web/{{ inventory_hostname }}
    container: web
    probes:
      - kind: http
        url: https://localhost:8443/status
        server_name: web.example.com
        ca_path: /etc/ssl/own-authority.pem
        certificate_days: 30
        json:
          - status == ok
          - queue.length < 1000
      - kind: tcp
        name: database
        host: db.example.com
        port: 5432
      - kind: logs
        ignore:
          - ERROR cache miss
        soft_errors: 20
      - kind: tailscale
  register: measured

- name: Wait until it has been healthy for half a minute
  selfheal.recovery.service_health_info:
    scope: production/web/{{ inventory_hostname }}
    container: web
    probes:
      - kind: http
        url: http://localhost:8080/health
    until_healthy_for: 30
    timeout: 120
  register: measured
"""

RETURN = r"""
health:
  description: The last measurement.
  returned: always
  type: dict
  contains:
    timestamp:
      description: When it was made, RFC 3339, UTC.
      type: str
    session_id:
      description: O(session_id).
      type: str
    scope:
      description: O(scope).
      type: str
    host:
      description: Name of the host it was made on.
      type: str
    overall_status:
      description: V(healthy), V(degraded), V(unhealthy) or V(unknown).
      type: str
      sample: healthy
    checks:
      description: One entry per probe.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the probe.
          type: str
        kind:
          description: Kind of the probe.
          type: str
        status:
          description: V(healthy), V(soft), V(failed) or V(unmeasured).
          type: str
        critical:
          description: Whether it alone makes the instance unhealthy.
          type: bool
        remedy:
          description: V(ladder) or V(report).
          type: str
        duration_ms:
          description: How long it took.
          type: int
        message:
          description: What was found, in words.
          type: str
        metrics:
          description: What was found, in numbers. They depend on the kind.
          type: dict
    errors:
      description: What could not be measured.
      type: list
      elements: str
    warnings:
      description: What a person should know about the measurement itself.
      type: list
      elements: str
observed:
  description: Facts about container and host. Empty when the module could not run.
  returned: always
  type: dict
  contains:
    container:
      description: The container as the engine describes it, V(null) when the engine is silent.
      type: dict
      contains:
        found:
          description: Whether there is one of this name.
          type: bool
        id:
          description: Its id.
          type: str
        name:
          description: Its name.
          type: str
        state:
          description: Its state in the engine's words, or V(missing).
          type: str
        health:
          description: Its Docker health, empty without a health check.
          type: str
        exit_code:
          description: How it ended the last time.
          type: int
        oom_killed:
          description: Whether it was ended for want of memory.
          type: bool
        image:
          description: Id of its image.
          type: str
        image_ref:
          description: The image reference it was created with.
          type: str
        digest:
          description: Repository and digest of its image, empty when the engine knows none. An image that never was in a registry may have one as well.
          type: str
        started_at:
          description: When it was started the last time, as the engine says.
          type: str
        uptime_s:
          description: Seconds since then, 0 when it does not run.
          type: float
        restart_count:
          description: How often the engine restarted it since a person or a tool started it.
          type: int
        start_period_s:
          description: Start period of its health check.
          type: float
        health_interval_s:
          description: Interval of its health check, 0 without one.
          type: float
        stop_timeout_s:
          description: Seconds it is given to stop.
          type: int
    starting:
      description: Whether it is still starting.
      type: bool
    clock:
      description: The host's own clock, C(boot_id) and C(seconds) since that boot.
      type: dict
    host_uptime_s:
      description: Seconds since the host booted.
      type: float
    guard:
      description: What the host remembers, C(store_id), C(token) and the C(journal) of an action left half done; or the C(error) that it cannot be read.
      type: dict
stable:
  description: Whether the instance was healthy for O(until_healthy_for) without a break; with V(0), whether it is healthy now.
  returned: always
  type: bool
waited_s:
  description: Seconds spent waiting for that.
  returned: always
  type: float
unreachable_host:
  description: Whether the host could not be reached at all.
  returned: always
  type: bool
policy:
  description: O(policy).
  returned: always
  type: dict
scope:
  description: O(scope).
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec, finish
from ansible_collections.selfheal.recovery.plugins.module_utils._measure import instance_spec, service_health_info


def argument_spec() -> Spec:
    return {
        **instance_spec(),
        "session_id": {"type": "str", "default": ""},
        "policy": {"type": "dict", "default": {}},
        "until_healthy_for": {"type": "float", "default": 0.0},
        "timeout": {"type": "float", "default": 60.0},
        "interval": {"type": "float", "default": 1.0},
    }


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    finish(module, lambda: service_health_info(module.params, bool(module.check_mode)))


if __name__ == "__main__":
    main()
