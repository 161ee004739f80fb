# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind `tailscale`: answers in the shape of `tailscale status --json`, from a command that writes them. The real one is in `tests/target`."""

from __future__ import annotations

import json
import os
import select
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.errors import NoSuchContainer
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Unmeasured
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.registry import parse
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils import probing
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import container

# The day of the fake clock is 2026-01-01.
SELF = {
    "ID": "n1",
    "HostName": "web1",
    "DNSName": "web1.tail0.ts.net.",
    "TailscaleIPs": ["100.64.0.1", "fd7a:115c:a1e0::1"],
    "Online": True,
    "KeyExpiry": "2026-06-01T00:00:00Z",
}
RUNNING = {"Version": "1.96.4", "TUN": True, "BackendState": "Running", "AuthURL": "", "TailscaleIPs": SELF["TailscaleIPs"], "Self": SELF, "Health": []}
LOGGED_OUT = {"TailscaleIPs": None, "Online": False, "KeyExpiry": None}


@pytest.fixture
def tool(tmp_path):
    """A command that writes ``tool.answer``, as text or as JSON, and ends with ``tool.status``."""

    class Tool:
        path = tmp_path / "tailscale"
        words = tmp_path / "words"

        def says(self, answer, status=0):
            text = answer if isinstance(answer, str) else json.dumps(answer)
            (tmp_path / "answer").write_text(text)
            self.runs(f'printf "%s " "$@" > {self.words}; cat {tmp_path}/answer; exit {status}')

        def runs(self, script):
            self.path.write_text(f"#!/bin/sh\n{script}\n")
            self.path.chmod(0o755)

        def measure(self, **options):
            return probing.measure(kind="tailscale", tailscale_path=str(self.path), **options)

        def judge(self, state="Running", **node):
            self.says({**RUNNING, "BackendState": state, "Self": {**SELF, **node}})
            return self.measure()

    return Tool()


def test_tailscale_healthy_when_the_node_is_online(tool):
    result = tool.judge()
    assert (result.status, result.remedy) == ("healthy", "")
    assert result.message == "Tailscale runs, and this node is online as 100.64.0.1"
    assert result.metrics == {"backend_state": "Running", "warnings": 0, "online": True, "addresses": 2, "key_days": 151.0}
    assert tool.words.read_text() == "status --json --peers=false "


def test_socket_is_handed_to_the_command(tool):
    tool.says(RUNNING)
    tool.measure(tailscale_socket="/run/own.sock")
    assert tool.words.read_text() == "--socket=/run/own.sock status --json --peers=false "


@pytest.mark.parametrize("expiry", [None, "", "0001-01-01T00:00:00Z"])
def test_key_without_expiry_is_healthy(tool, expiry):
    assert tool.judge(KeyExpiry=expiry).status == "healthy"


def test_tailscale_soft_when_its_key_expires_soon(tool):
    result = tool.judge(KeyExpiry="2026-01-11T01:00:00.5Z")
    assert (result.status, result.remedy) == ("soft", "report")
    assert "expires in 10.0 days (less than 14)" in result.message
    assert tool.measure(key_days=9).status == "healthy"


def test_tailscale_soft_when_it_is_starting(tool):
    result = tool.judge("Starting", **LOGGED_OUT)
    assert (result.status, result.remedy) == ("soft", "")


@pytest.mark.parametrize("state", ["NeedsLogin", "NeedsMachineAuth", "InUseOtherUser"])
def test_tailscale_failed_for_a_person_when_nobody_is_logged_in(tool, state):
    result = tool.judge(state, **LOGGED_OUT)
    assert (result.status, result.remedy) == ("failed", "report")
    assert f"(state {state})" in result.message


@pytest.mark.parametrize("node", [{"KeyExpiry": "2025-12-31T00:00:00Z"}, {"Expired": True}, {"Expired": True, "KeyExpiry": None, "Online": False}])
def test_tailscale_failed_for_a_person_when_its_key_expired(tool, node):
    result = tool.judge(**node)
    assert (result.status, result.remedy) == ("failed", "report")
    assert "expired" in result.message


@pytest.mark.parametrize("state", ["Stopped", "NoState"])
def test_tailscale_failed_when_it_is_down(tool, state):
    result = tool.judge(state, **LOGGED_OUT)
    assert (result.status, result.remedy) == ("failed", "")


@pytest.mark.parametrize(
    ("node", "message"),
    [({"Online": False}, "offline"), ({"TailscaleIPs": []}, "no address"), ({"TailscaleIPs": None}, "no address"), ({"Online": None}, "offline")],
)
def test_tailscale_failed_when_the_node_is_not_on_its_network(tool, node, message):
    result = tool.judge(**node)
    assert (result.status, result.remedy, message in result.message) == ("failed", "", True)


def test_tailscale_failed_when_its_container_does_not_run(tool):
    for inspect in (container(state="exited"), NoSuchContainer("web")):
        result = tool.measure(in_container=True, inspect=inspect)
        assert (result.status, result.remedy) == ("failed", "")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        "{",
        "[" * 100000,
        "{}",
        {"BackendState": 7},
        {"BackendState": "Running"},
        {**RUNNING, "Health": "bad"},
        {**RUNNING, "Self": []},
        {**RUNNING, "Self": {**SELF, "Online": "yes"}},
        {**RUNNING, "Self": {**SELF, "TailscaleIPs": "100.64.0.1"}},
        {**RUNNING, "Self": {**SELF, "KeyExpiry": 17}},
        {**RUNNING, "Self": {**SELF, "KeyExpiry": "soon"}},
        {**RUNNING, "BackendState": "Dreaming\x1b[2J"},
    ],
)
def test_tailscale_unmeasured_when_the_answer_is_not_understood(tool, answer):
    tool.says(answer)
    with pytest.raises(Unmeasured) as caught:
        tool.measure()
    assert caught.value.message.isprintable()


def test_tailscale_unmeasured_when_the_command_is_missing(tool):
    with pytest.raises(Unmeasured, match="cannot be run on this host: no such file"):
        tool.measure()


def test_tailscale_unmeasured_when_the_command_may_not_ask(tool):
    tool.runs("echo 'dial unix /run/tailscaled.sock: connect: permission denied' >&2; exit 1")
    with pytest.raises(Unmeasured, match=r"ended with status 1: dial unix .* permission denied"):
        tool.measure()


def test_tailscale_unmeasured_when_the_daemon_does_not_answer(tool):
    """The command waits for a daemon that is not there, for ever."""
    tool.runs("exec sleep 60")
    began = time.monotonic()
    with pytest.raises(Unmeasured, match=r"did not answer within 0.5 s.*Look whether tailscaled runs"):
        tool.measure(deadline=0.5)
    assert time.monotonic() - began < 5


def test_what_a_command_that_does_not_answer_has_started_ends_with_it(tool, tmp_path):
    """A wrapper, perhaps; the pipe hangs up when nobody writes to it any more."""
    os.mkfifo(tmp_path / "alive")
    reader = os.open(tmp_path / "alive", os.O_RDONLY | os.O_NONBLOCK)
    try:
        tool.runs(f"sleep 60 > {tmp_path}/alive & wait")
        with pytest.raises(Unmeasured, match="did not answer"):
            tool.measure(deadline=0.5)
        hung_up = select.poll()
        hung_up.register(reader, 0)
        assert hung_up.poll(5000) == [(reader, select.POLLHUP)]
    finally:
        os.close(reader)


def test_it_is_not_critical_unless_told():
    assert parse([{"kind": "tailscale"}])[0].critical is False


@pytest.mark.parametrize(("option", "value"), [("key_days", -1), ("tailscale_socket", "own.sock"), ("tailscale_path", "--help"), ("tailscale_path", "a\0b")])
def test_option_that_cannot_be_meant_is_refused(option, value):
    with pytest.raises(BadInput, match=option):
        parse([{"kind": "tailscale", option: value}])
