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
          - V(command) runs a program on the host or in the container. It succeeds with exit status 0.
          - V(storage) looks whether a directory or a file is there, writable and of a sensible size, and whether the SQLite files in it are in order.
          - V(disk) looks for space and inodes on the host's file systems.
          - V(roundtrip) writes a marker to the service over HTTP, reads it back, compares, and deletes it. It does not run in check mode.
          - V(logs) counts error lines in the container's log. It is never critical.
          - V(tailscale) asks Tailscale whether this node is on its tailnet.
        type: str
        required: true
        choices: [command, container, disk, docker, http, logs, roundtrip, storage, tailscale, tcp]
      name:
        description:
          - What it is called in results. Two probes of one instance must not have the same name.
          - Defaults to its kind.
        type: str
      critical:
        description:
          - Whether its failure makes the instance V(unhealthy), and its silence V(unknown). Otherwise a failure makes it V(degraded).
          - Defaults to V(true) for the kinds V(http), V(tcp), V(container) and V(roundtrip), to V(false) for others.
          - It is never V(true) for the kind V(logs).
        type: bool
      remedy:
        description:
          - Whether a recovery action can cure it (V(ladder)), or only a person (V(report)). The latter is escalated and never acted on.
          - Without it the finding decides. Full disks, sizes, damaged or read-only storage, error lines in logs, certificates that are expired, expire
            soon or are not trusted, markers left behind, and a Tailscale that has to be logged in are for a person, most else is for the ladder.
        type: str
        choices: [ladder, report]
      deadline:
        description:
          - Seconds it may take as a whole, up to 300.
          - Defaults to V(25) for the kinds V(http) and V(roundtrip), to V(10) for others.
        type: float
      url:
        description:
          - For the kinds V(http) and V(roundtrip), which need it. Where to ask or to write, with V(http) or V(https).
          - For V(roundtrip) C({marker}) in it stands for the marker.
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
          - For the kinds V(http) and V(roundtrip). Headers to send with each request.
        type: dict
      secret_headers:
        description:
          - For the kinds V(http) and V(roundtrip). Headers to send whose values are secret, of at least 6 characters each.
        type: dict
      attempts:
        description:
          - For the kind V(http). How often to ask, one second apart, until an answer is good and quick. Defaults to V(3).
          - For the kind V(roundtrip). How often to read back, one second apart, until it is there. Nothing is ever written twice. Defaults to V(3).
        type: int
      attempt_timeout:
        description:
          - For the kinds V(http) and V(roundtrip). Seconds one attempt, or one request of a round trip, may take as a whole. Defaults to V(10).
        type: float
      slow_ms:
        description:
          - For the kind V(http). Mean latency of the good answers, in milliseconds, above which the instance is V(degraded). Defaults to V(2000).
          - For the kind V(roundtrip). The same for writing and reading back together.
        type: int
      validate_certs:
        description:
          - For the kinds V(http), V(roundtrip) and V(tcp) with TLS. Whether the service's certificate has to be trusted, valid now, and of the right name.
            Defaults to V(true).
          - One that is not is failed, and only a person can cure that (V(report)).
        type: bool
      ca_path:
        description:
          - For the kinds V(http), V(roundtrip) and V(tcp) with TLS. File with the certificates of your own authorities, or a directory of them as
            OpenSSL wants it, on the host.
          - Only these are trusted then. Defaults to what the host trusts.
        type: str
      client_cert:
        description:
          - For the kinds V(http), V(roundtrip) and V(tcp) with TLS. File with a certificate to show to the service, on the host.
        type: str
      client_key:
        description:
          - For the kinds V(http), V(roundtrip) and V(tcp) with TLS. File with the key of O(probes[].client_cert), without a password, on the host.
          - Defaults to O(probes[].client_cert), which may hold both.
        type: str
      server_name:
        description:
          - For the kinds V(http), V(roundtrip) and V(tcp) with TLS. The name that the service's certificate has to be for. Defaults to the name connected to.
        type: str
      certificate_days:
        description:
          - For the kinds V(http) and V(tcp) with TLS. A certificate that is valid for fewer days than these makes the instance V(degraded). One that has
            expired is failed, also without O(probes[].validate_certs). Only a person can cure either (V(report)). Defaults to V(14).
          - V(0) does not judge its age. An expired one is still refused while O(probes[].validate_certs) is on.
        type: int
      contains:
        description:
          - For the kind V(http). A text that the answer's body has to contain. Of a long body the first 256 KiB are looked at.
        type: str
      matches:
        description:
          - For the kind V(http). A regular expression, in Python's syntax, that has to match somewhere in the answer's body.
          - One that takes more than 2 seconds proves nothing. Write it without repetition within a repetition.
        type: str
      json:
        description:
          - For the kind V(http). What the answer's JSON has to say, each as a dotted path, one of V(==), V(!=), V(<), V(<=), V(>) and V(>=), and a value.
            A number in the path is a place in a list.
          - The value is JSON, or text when it is none. V(<) and the like compare numbers.
        type: list
        elements: str
      host:
        description:
          - For the kind V(tcp). Name or address to connect to. Defaults to V(localhost).
        type: str
      port:
        description:
          - For the kind V(tcp), which needs it. The port to connect to.
        type: int
      tls:
        description:
          - For the kind V(tcp). Whether the service speaks TLS from the first byte on. Defaults to V(false).
        type: bool
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
      in_container:
        description:
          - For the kinds V(command), V(storage) and V(tailscale). Whether it is in the container, with the eyes and the rights of the container's user,
            instead of on the host. Defaults to V(false).
          - For V(command) and V(tailscale) the image has to have the program. For V(storage) it needs nothing, but root on the host.
        type: bool
      path:
        description:
          - For the kind V(storage), which needs it. An absolute path of a directory or a file.
        type: str
      writable:
        description:
          - For the kind V(storage). Whether it has to be writable. Nothing is written to find out. Defaults to V(true).
          - On the host that is for the user this runs as, in the container for the user of its first process.
        type: bool
      soft_mib:
        description:
          - For the kind V(storage). Size in MiB on its own file system above which the instance is V(degraded). Defaults to V(500).
        type: int
      sqlite:
        description:
          - For the kind V(storage). Names or patterns of files right below O(probes[].path) that may be SQLite files. Those that are get a
            C(quick_check), at most once an hour each. With a file as O(probes[].path) it is that file.
          - Defaults to V(*.db), V(*.sqlite) and V(*.sqlite3). An empty list checks none.
        type: list
        elements: str
      sqlite_seconds:
        description:
          - For the kind V(storage). Seconds such a check may take. One that is not done by then proves nothing. Defaults to V(3).
          - The service cannot commit meanwhile, unless its file has a write-ahead log.
        type: float
      paths:
        description:
          - For the kind V(disk). Absolute paths whose file systems to look at.
          - Defaults to V(/) and the place where the engine keeps the container.
        type: list
        elements: str
      soft_percent:
        description:
          - For the kind V(disk). Per cent of the space a service may use that are used, above which the instance is V(degraded). Defaults to V(85).
        type: int
      failed_percent:
        description:
          - For the kind V(disk). Per cent of the space above which it is failed. Defaults to V(95).
        type: int
      inodes_soft_percent:
        description:
          - For the kind V(disk). Per cent of the inodes above which the instance is V(degraded). Defaults to V(85).
        type: int
      inodes_failed_percent:
        description:
          - For the kind V(disk). Per cent of the inodes above which it is failed. Defaults to V(95).
        type: int
      write_method:
        description:
          - For the kind V(roundtrip). How to write. Defaults to V(POST).
        type: str
        choices: [POST, PUT]
      body:
        description:
          - For the kind V(roundtrip). What to write. C({marker}) in it stands for the marker. Defaults to V({marker}).
        type: str
      write_headers:
        description:
          - For the kind V(roundtrip). Headers to send with the write only, like C(Content-Type). C({marker}) in a value stands for the marker.
        type: dict
      location:
        description:
          - For the kind V(roundtrip). Where the answer to the write says where it was put. In the V(header) C(Location), in the field
            O(probes[].location_field) of its V(json), in its whole V(body), or V(none), because the place is known beforehand. Defaults to V(header).
        type: str
        choices: [header, json, body, none]
      location_field:
        description:
          - For the kind V(roundtrip) with O(probes[].location=json). Dotted path of the field. A number in it is a place in a list.
        type: str
      read_url:
        description:
          - For the kind V(roundtrip). Where to read back, a URL on the same host and port, or a path. C({marker}) and C({location}) in it stand for the marker,
            and for what the service said.
          - Defaults to what the service said, or with O(probes[].location=none) to O(probes[].url).
        type: str
      delete_url:
        description:
          - For the kind V(roundtrip). Where to delete, like O(probes[].read_url). Defaults to O(probes[].read_url).
        type: str
      delete_method:
        description:
          - For the kind V(roundtrip). How to delete. Defaults to V(DELETE).
        type: str
        choices: [DELETE, POST]
      window:
        description:
          - For the kind V(logs). Seconds to look back, at most to the container's last start. Defaults to V(300).
        type: float
      patterns:
        description:
          - For the kind V(logs). Regular expressions, in Python's syntax, one of which an error line matches.
          - Without any these count. The words ERROR, CRITICAL, FATAL, PANIC and EMERG in capitals, lines that begin with error, fatal or panic, the levels
            of structured logs and of web servers, and Python's tracebacks.
        type: list
        elements: str
      ignore:
        description:
          - For the kind V(logs). Regular expressions for lines that do not count.
        type: list
        elements: str
      soft_errors:
        description:
          - For the kind V(logs). Error lines in the window above which it is soft. Defaults to V(10).
        type: int
      failed_errors:
        description:
          - For the kind V(logs). Error lines in the window above which it is failed. Defaults to V(100).
        type: int
      tailscale_path:
        description:
          - For the kind V(tailscale). Tailscale's command, on the host or in the container. Defaults to V(tailscale).
        type: str
      tailscale_socket:
        description:
          - For the kind V(tailscale). The socket of tailscaled. Defaults to the command's own.
        type: str
      key_days:
        description:
          - For the kind V(tailscale). Days before its key expires from which on the instance is V(degraded). Defaults to V(14).
        type: int
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
