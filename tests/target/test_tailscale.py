# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind `tailscale` with the real command, as far as that goes without a control server: the real daemon, and a stand-in that is logged in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Host, LabError, tailscale, wait

from .target import Target

pytestmark = pytest.mark.lab

_COMMAND = f"{tailscale.DIRECTORY}/tailscale"
_SOCKET = "/run/tailscaled-test.sock"
_LOCALAPI = Path(__file__).parents[1] / "lab" / "files" / "localapi_server.py"
_DAEMON = [f"{tailscale.DIRECTORY}/tailscaled", "--tun=userspace-networking", "--no-logs-no-support", "--state=mem:"]


@pytest.fixture(scope="module")
def programs() -> Path:
    """Tailscale's programs; skips when they are not to be had. On CI that is a failure."""
    try:
        return tailscale.binaries()
    except LabError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def node(target: Target, programs: Path) -> Target:
    """The target, with Tailscale's programs on it."""
    tailscale.install(target.host)
    return target


@contextmanager
def running(host: Host, argv: list[str]) -> Iterator[None]:
    """A program on the host, until its input ends; it says when it is ready."""
    with host.popen(argv) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield
        finally:
            process.communicate("", timeout=20)


def daemon(host: Host) -> Any:
    script = f'rm -f {_SOCKET}; "$@" --socket={_SOCKET} >/dev/null 2>&1 & echo ready; read end; kill $!; wait $!; rm -f {_SOCKET}'
    return running(host, ["/bin/sh", "-c", script, "sh", *_DAEMON])


def logged_in(host: Host, **node: Any) -> Any:
    """The LocalAPI of a node that is logged in."""
    own = {"HostName": "web1", "TailscaleIPs": ["100.64.0.1"], "Online": True, "KeyExpiry": _in_days(90)} | node
    answer = {"Version": "1.96.4", "BackendState": "Running", "TailscaleIPs": own["TailscaleIPs"], "Self": own, "Health": None, "Peer": None}
    return running(host, ["python3", "-c", _LOCALAPI.read_text(), _SOCKET, json.dumps(answer)])


def _in_days(days: float) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def measure(target: Target, **options: Any) -> dict[str, Any]:
    probe = {"kind": "tailscale", "tailscale_path": _COMMAND, "tailscale_socket": _SOCKET} | options
    checks: list[dict[str, Any]] = target.measure(probes=[{"kind": "docker"}, probe])["health"]["checks"]
    return checks[1]


def test_real_daemon_that_nobody_logged_in_is_for_a_person(node: Target) -> None:
    with daemon(node.host):
        wait.until("its socket", node.host.path(_SOCKET).exists, seconds=20)
        check = measure(node)
    assert (check["status"], check["remedy"], check["critical"]) == ("failed", "report", False)
    assert check["metrics"]["backend_state"] == "NeedsLogin"


def test_real_daemon_in_the_container_is_asked_there(node: Target) -> None:
    argv = [*_DAEMON, "--socket=/tmp/own.sock"]
    mounts = {tailscale.DIRECTORY: {"bind": tailscale.DIRECTORY, "mode": "ro"}}
    node.engine.containers.run("selfheal/demo:1", name="web", entrypoint=argv, detach=True, init=True, volumes=mounts)

    def answered() -> dict[str, Any] | None:
        check = measure(node, in_container=True, tailscale_socket="/tmp/own.sock")
        return check if check["status"] != "unmeasured" else None

    check = wait.until("an answer", answered, seconds=60)
    assert (check["status"], check["remedy"], check["metrics"]["backend_state"]) == ("failed", "report", "NeedsLogin")
    check = measure(node, in_container=True, tailscale_path="/no/such/tool")
    assert (check["status"], "/no/such/tool cannot be run in the container" in check["message"]) == ("unmeasured", True)


def test_logged_in_node_is_healthy(node: Target) -> None:
    with logged_in(node.host):
        check = measure(node)
    assert (check["status"], check["message"]) == ("healthy", "Tailscale runs, and this node is online as 100.64.0.1")
    assert 89 < check["metrics"]["key_days"] <= 90


@pytest.mark.parametrize(
    ("own", "status", "remedy"),
    [
        ({"Online": False}, "failed", "ladder"),
        ({"KeyExpiry": _in_days(5)}, "soft", "report"),
        ({"KeyExpiry": _in_days(-1), "Expired": True}, "failed", "report"),
    ],
)
def test_what_is_wrong_with_a_logged_in_node_is_seen_through_the_real_command(node: Target, own: dict[str, Any], status: str, remedy: str) -> None:
    with logged_in(node.host, **own):
        check = measure(node)
    assert (check["status"], check["remedy"]) == (status, remedy)


def test_daemon_that_is_not_there_is_unmeasured_in_time(node: Target) -> None:
    check = measure(node, deadline=3)
    assert check["status"] == "unmeasured"
    assert check["duration_ms"] < 6000


def test_missing_command_is_unmeasured(target: Target) -> None:
    check = measure(target, tailscale_path="/no/such/tool")
    assert (check["status"], "cannot be run on this host" in check["message"]) == ("unmeasured", True)
