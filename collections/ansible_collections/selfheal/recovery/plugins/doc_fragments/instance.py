# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  scope:
    description:
      - Which instance this is, as C(environment/service/instance).
      - The key under which everything about it is remembered. It has nothing to do with the name of its container.
    type: str
    required: true
  container:
    description:
      - Name of its container, matched exactly.
    type: str
    required: true
  probes:
    description:
      - What to measure. All probes run at once, on the host the task runs on.
      - Without any, the engine is asked whether it answers (kind V(docker)) and what state the container is in (kind V(container)).
    type: list
    elements: dict
    default: []
    suboptions:
      kind:
        description:
          - V(http) asks a URL, and is content with one good answer in O(probes[].attempts).
          - V(tcp) opens a connection.
          - V(container) asks the engine for the container's state and Docker health.
          - V(docker) asks whether the engine answers. It never fails, but when it is silent the instance is V(unknown).
          - V(command) runs a program on the host. It succeeds with exit status 0.
        type: str
        required: true
        choices: [command, container, docker, http, tcp]
      name:
        description:
          - What it is called in results. Two probes of one instance must not have the same name.
          - Defaults to its kind.
        type: str
      critical:
        description:
          - Whether its failure makes the instance V(unhealthy), and its silence V(unknown). Otherwise a failure makes it V(degraded).
          - Defaults to V(true) for the kinds V(http), V(tcp) and V(container), to V(false) for others.
        type: bool
      remedy:
        description:
          - Whether a recovery action can cure it (V(ladder)), or only a person (V(report)). The latter is escalated and never acted on.
          - Defaults to V(ladder).
        type: str
        choices: [ladder, report]
      deadline:
        description:
          - Seconds it may take as a whole, up to 300.
          - Defaults to V(25) for the kind V(http), to V(10) for others.
        type: float
      url:
        description:
          - For the kind V(http), which needs it. Where to ask, with V(http) or V(https).
          - A user and a password in it are sent as basic authentication, and shown nowhere in results.
        type: str
      method:
        description:
          - For the kind V(http). Defaults to V(GET).
        type: str
        choices: [GET, HEAD]
      status:
        description:
          - For the kind V(http). The status codes that are good.
          - Without any, every 2xx is good. A redirect is followed up to three times on the same scheme, host and port, and good as it stands otherwise.
        type: list
        elements: int
      headers:
        description:
          - For the kind V(http). Request headers to send.
        type: dict
      secret_headers:
        description:
          - For the kind V(http). Request headers whose values are secret, of at least 6 characters each.
        type: dict
      attempts:
        description:
          - For the kind V(http). How often to ask, one second apart, until an answer is good and quick. Defaults to V(3).
        type: int
      attempt_timeout:
        description:
          - For the kind V(http). Seconds one attempt may take as a whole. Defaults to V(10).
        type: float
      slow_ms:
        description:
          - For the kind V(http). Mean latency of the good answers, in milliseconds, above which the instance is V(degraded). Defaults to V(2000).
        type: int
      validate_certs:
        description:
          - For the kind V(http). Whether the certificate has to be trusted by this host. Defaults to V(true).
          - One that is not trusted leaves the instance V(unknown), because no recovery action can cure it.
        type: bool
      host:
        description:
          - For the kind V(tcp). Name or address to connect to. Defaults to V(localhost).
        type: str
      port:
        description:
          - For the kind V(tcp), which needs it. The port to connect to.
        type: int
      max_restarts:
        description:
          - For the kind V(container). Restarts by the engine above which a running container counts as V(degraded). Defaults to V(5).
        type: int
      stats:
        description:
          - For the kind V(container). Whether to measure its CPU and memory too, which takes the engine one to two seconds. Defaults to V(false).
        type: bool
      argv:
        description:
          - For the kind V(command), which needs it. The program, then its arguments. No shell is involved.
        type: list
        elements: str
  startup_grace:
    description:
      - Seconds after a start of the container during which failures make the instance V(unknown) instead of V(unhealthy).
      - A longer start period of the container's health check is taken instead.
    type: float
    default: 60
  deadline:
    description:
      - Seconds one measurement may take, whatever hangs.
    type: float
    default: 30
  docker_host:
    description:
      - The container engine's unix socket. Engines of other hosts are measured by naming these hosts in the inventory.
    type: str
    default: unix:///var/run/docker.sock
  guard_dir:
    description:
      - Directory where this host remembers who acts on it, and where evidence is kept. Its owner's alone (mode 0700).
      - Defaults to C(/var/lib/selfheal/host) for root, and to C(selfheal/host) in the XDG state directory for others.
    type: path
"""

    ACTING = r"""
options:
  fence:
    description:
      - What the admission of the session handed out for this instance. The host refuses an action without, or with an overtaken one.
    type: dict
    required: true
    suboptions:
      session_id:
        description: The session that acts.
        type: str
        required: true
      scope:
        description: The instance it may act on.
        type: str
        required: true
      token:
        description: Number of the admission. It grows with each of the same service.
        type: int
        required: true
      store_id:
        description: Identity of the state store that admitted the session.
        type: str
        required: true
      adopts:
        description: Identities of stores that this one has replaced, on a person's word.
        type: list
        elements: str
        default: []
      not_after:
        description: End of the lease, in this host's own clock.
        type: dict
        required: true
        suboptions:
          boot_id:
            description: The boot of the host that the clock belongs to.
            type: str
            required: true
          seconds:
            description: Seconds since that boot.
            type: float
            required: true
      step:
        description: Number of the step in the session, handed through to the result.
        type: int
      recheck:
        description: Whether to measure once more before acting, because the instance waited for its turn. One that is healthy by then is left alone.
        type: bool
        default: false
  stable_window:
    description:
      - Seconds the instance has to be healthy without a break before it counts as recovered.
      - One interval of the container's health check is taken instead when that is longer, up to 60 seconds.
    type: float
    default: 10
  verify_timeout:
    description:
      - Seconds the instance may take to become healthy. A stable window that began in time may end after it.
      - Twice the start period, or twice the interval of the container's health check, is taken instead when that is longer.
    type: float
    default: 60
  evidence_timeout:
    description:
      - Seconds to save evidence in before the first action of a session.
    type: float
    default: 5
"""

    ATTRIBUTES = r"""
options: {}
attributes:
  platform:
    description: Where it runs.
    support: full
    platforms: linux
  check_mode:
    description: Whether it can run without changing anything, and say what it would do.
  diff_mode:
    description: Whether it shows what differs before and after.
  idempotent:
    description: Whether a second run changes nothing when nothing else has changed.
"""
