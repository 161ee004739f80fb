# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kind ``command`` inside the container: what the engine is asked, what its answers mean, and that nothing is left hanging.

With a real engine: ``tests/target/test_probes.py``.
"""

from __future__ import annotations

import json
import os
import time

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.deadline import Deadline
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine import exec as engine_exec
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.client import Engine
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.engine.errors import EngineError, EngineUnreachable, NoSuchContainer, ProgramMissing
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Unmeasured
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.probing import measure
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import ID, FakeEngine, container, frame

MISSING = b'OCI runtime exec failed: exec failed: unable to start container process: exec: "/x": stat /x: no such file or directory: unknown\r\n'


@pytest.fixture
def fake(tmp_path):
    with FakeEngine(tmp_path / "sock", container()) as fake:
        yield fake


def probe(fake, argv=("/bin/check",), inspect=None, **options):
    (path,) = {fake._listener.getsockname()}
    return measure(kind="command", argv=list(argv), in_container=True, engine=Engine(path), inspect=inspect, **options)


def test_command_in_container_healthy_when_it_ends_with_status_0(fake):
    result = probe(fake, ["/bin/check", "--all", "$(x)"])
    assert (result.status, result.metrics) == ("healthy", {"exit_status": 0})
    method, target, request = next(each for each in fake.requests if each[1].endswith("/exec"))
    assert (method, target) == ("POST", f"/v1.41/containers/{ID}/exec")
    order = json.loads(request.partition("\r\n\r\n")[2])
    assert order == {"AttachStdout": True, "AttachStderr": True, "Tty": False, "Cmd": ["/bin/check", "--all", "$(x)"]}


def test_command_in_container_failed_when_it_ends_with_another_status(fake):
    fake.ran = {"status": 3, "output": frame(1, b"part ") + frame(2, b"hunter2-secret\nis wrong\n"), "pid": 0}
    result = probe(fake)
    assert (result.status, result.message) == ("failed", "/bin/check ended with status 3: part ******** is wrong")


@pytest.mark.parametrize("status", range(0, 256, 15))
def test_command_is_never_soft(fake, status):
    """It has a status and no limits: what is worth a warning is a probe of its own, not critical."""
    fake.ran = {"status": status, "output": b"", "pid": 0}
    expected = "failed" if status else "healthy"
    assert probe(fake).status == measure(kind="command", argv=["/bin/sh", "-c", f"exit {status}"]).status == expected


@pytest.mark.parametrize("status", [126, 127])
def test_command_in_container_unmeasured_when_it_has_no_such_program(fake, status):
    fake.ran = {"status": status, "output": frame(1, MISSING), "pid": 0}
    with pytest.raises(ProgramMissing, match="cannot be run in the container"):
        probe(fake)


def test_program_that_ends_like_a_missing_one_is_failed(fake):
    fake.ran = {"status": 127, "output": frame(2, b"no config\n"), "pid": 0}
    assert probe(fake).status == "failed"


@pytest.mark.parametrize("state", ["exited", "created", "paused", "restarting", "dead"])
def test_command_in_container_failed_when_the_container_does_not_run(fake, state):
    """The service's own doing, like a refused connection: unmeasured, it would keep a stopped container from being repaired."""
    result = probe(fake, inspect=container(state=state))
    assert (result.status, f"it is {state}" in result.message) == ("failed", True)
    assert fake.requests == []


def test_container_that_stops_meanwhile_is_failed(fake):
    fake.containers["web"]["State"]["Status"] = "exited"
    result = probe(fake)
    assert (result.status, "is exited" in result.message) == ("failed", True)


def test_missing_container_is_failed(fake):
    assert probe(fake, inspect=NoSuchContainer("web")).status == "failed"


def test_silent_engine_is_unmeasured(fake):
    with pytest.raises(EngineUnreachable):
        probe(fake, inspect=EngineUnreachable("nobody there"))


def test_program_that_does_not_end_is_failed_in_time_and_told(fake):
    fake.ran = {"status": None, "output": frame(1, b"working\n"), "pid": 0}
    began = time.monotonic()
    result = probe(fake, deadline=1.5)
    assert time.monotonic() - began < 2
    assert (result.status, "did not end within 1.5 s: it goes on in the container" in result.message) == ("failed", True)
    with pytest.raises(Unmeasured, match="deadline"):
        probe(fake, deadline=1.5, cut_short=True)


def test_process_that_is_none_of_the_containers_is_not_killed(fake):
    """The engine's numbers may be of another host's, or of a process that ended since."""
    fake.ran = {"status": None, "output": b"", "pid": os.getpid()}
    assert f"it goes on in the container as process {os.getpid()}" in probe(fake, deadline=1.5).message


def test_only_the_end_of_much_output_is_kept(fake):
    lines = b"".join(b"line %d\n" % number for number in range(10000))
    fake.ran = {"status": 1, "output": frame(1, lines) + frame(2, lines), "pid": 0}
    ran = engine_exec.run(Engine(fake._listener.getsockname()), "web", ["/x"], Deadline(5), limit=2000)
    assert ran.output.truncated
    assert len(ran.output.stdout) <= 1000
    assert ran.output.stdout.endswith(b"line 9999\n")
    assert ran.output.stderr.startswith(b"line ")


def test_time_stamp_that_a_program_writes_itself_is_kept(fake):
    stamp = b"2026-01-01T00:00:00Z and on\n"
    fake.ran = {"status": 0, "output": frame(1, b"begun ") + frame(1, stamp), "pid": 0}
    ran = engine_exec.run(Engine(fake._listener.getsockname()), "web", ["/x"], Deadline(5))
    assert ran.output.stdout == b"begun " + stamp


def test_other_user_is_asked_for(fake):
    engine_exec.run(Engine(fake._listener.getsockname()), "web", ["/x"], Deadline(5), user="nobody")
    assert '"User": "nobody"' in next(request for _method, target, request in fake.requests if target.endswith("/exec"))


def test_answer_without_a_status_is_no_answer(fake):
    fake.fail["json"] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with pytest.raises(EngineError, match="does not say how"):
        engine_exec.run(Engine(fake._listener.getsockname()), "web", ["/x"], Deadline(5))
