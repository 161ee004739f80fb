# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Real faults of endpoints, certificates and logs, measured by `service_health_info` on a real host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.certificates import Authority
from tests.lab import wait
from tests.lab.endpoint import endpoint
from tests.lab.notes import notes

from .target import Answer, Target

pytestmark = pytest.mark.lab

_PORT = 8443
_WITNESS_PORT = 8090
_CA = "/etc/ssl/own.pem"
_FLOOD = ["/bin/busybox", "yes", "ERROR the disk of hunter2-canary is on fire, and the whole street can see it"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def ask(target: Target, scheme: str = "http", **options: Any) -> tuple[Answer, dict[str, Any]]:
    """What the http probe of an endpoint says: the whole answer and the check."""
    probe = {"kind": "http", "url": f"{scheme}://localhost:{_PORT}/", "attempts": 1, "attempt_timeout": 2} | options
    return measure(target, probe)


def measure(target: Target, probe: dict[str, Any]) -> tuple[Answer, dict[str, Any]]:
    answer = target.measure(probes=[{"kind": "docker"}, probe])
    return answer, answer["health"]["checks"][1]


class TestCertificates:
    def test_authority_of_ones_own_is_trusted_when_it_is_given(self, target: Target, authority: Authority) -> None:
        target.host.write(_CA, authority.certificate.read_text())
        with endpoint(target.host, _PORT, pair=authority.issue(days=30)):
            answer, check = ask(target, "https", ca_path=_CA, contains="ready", matches=r"^re\w+$")
            assert (answer["health"]["overall_status"], check["status"]) == ("healthy", "healthy")
            assert 29 < check["metrics"]["certificate_days"] <= 30
            assert measure(target, {"kind": "tcp", "port": _PORT, "tls": True, "ca_path": _CA})[1]["status"] == "healthy"
            answer, check = ask(target, "https")
            assert (answer["health"]["overall_status"], check["status"], check["remedy"]) == ("unhealthy", "failed", "report")

    def test_expired_one_is_failed_for_a_person(self, target: Target, authority: Authority) -> None:
        target.host.write(_CA, authority.certificate.read_text())
        with endpoint(target.host, _PORT, pair=authority.issue(days=-1, since=-30)):
            answer, check = ask(target, "https", ca_path=_CA)
            assert (answer["health"]["overall_status"], check["status"], check["remedy"]) == ("unhealthy", "failed", "report")
            assert "certificate has expired" in check["message"]
            # Nothing that a rung could cure is wrong, so that a rung's verification would not wait for it.
            assert answer["stable"] is True
            _answer, check = ask(target, "https", validate_certs=False)
            assert (check["status"], check["remedy"], -1.1 < check["metrics"]["certificate_days"] < -0.9) == ("failed", "report", True)

    def test_one_that_expires_soon_is_soft(self, target: Target, authority: Authority) -> None:
        target.host.write(_CA, authority.certificate.read_text())
        with endpoint(target.host, _PORT, pair=authority.issue(days=5)):
            answer, check = ask(target, "https", ca_path=_CA)
        assert (answer["health"]["overall_status"], check["status"], check["remedy"]) == ("degraded", "soft", "report")


class TestEndpoints:
    def test_redirect_off_the_host_is_not_followed(self, target: Target) -> None:
        with (
            endpoint(target.host, _WITNESS_PORT) as witness,
            endpoint(target.host, _PORT, "redirect", location=f"http://{target.host.address}:{_WITNESS_PORT}/") as asked,
        ):
            _answer, check = ask(target)
            assert (check["status"], check["metrics"]["status"]) == ("healthy", 302)
            assert (asked.accepted, witness.accepted) == (1, 0)

    def test_redirect_to_itself_is_followed_and_ends(self, target: Target) -> None:
        with endpoint(target.host, _PORT, "redirect", location="/again") as asked:
            _answer, check = ask(target)
            assert (check["status"], "circles" in check["message"], asked.accepted) == ("failed", True, 4)

    def test_slow_body_is_failed_in_time_where_it_matters(self, target: Target) -> None:
        with endpoint(target.host, _PORT, "drip"):
            _answer, check = ask(target)
            assert (check["status"], check["duration_ms"] < 2000) == ("healthy", True)
            answer, check = ask(target, contains="ready")
        assert (answer["health"]["overall_status"], check["status"], check["remedy"]) == ("unhealthy", "failed", "ladder")
        assert "no answer within 2.0 s" in check["message"]
        assert check["duration_ms"] < 5000

    @pytest.mark.parametrize("kind", ["http", "tcp"])
    def test_hung_accept_queue_is_failed_in_time(self, target: Target, kind: str) -> None:
        with endpoint(target.host, _PORT, "hung"):
            if kind == "http":
                _answer, check = ask(target)
            else:
                _answer, check = measure(target, {"kind": "tcp", "port": _PORT, "deadline": 2})
        assert (check["status"], check["remedy"]) == ("failed", "ladder")
        assert "no connection within 2.0 s" in check["message"]
        assert check["duration_ms"] < 5000


class TestNotes:
    """The kind roundtrip, and a service that keeps what it is given, more or less."""

    @pytest.mark.parametrize(
        ("fault", "verdict", "status", "remedy", "left"),
        [
            ("", "healthy", "healthy", "ladder", 0),
            ("forgets", "unhealthy", "failed", "ladder", 1),
            ("keeps", "degraded", "soft", "report", 1),
            ("slow", "degraded", "soft", "ladder", 0),
        ],
    )
    def test_what_is_written_is_read_back_and_deleted_or_named(self, target: Target, fault: str, verdict: str, status: str, remedy: str, left: int) -> None:
        with notes(target.host, _PORT, fault) as service:
            answer, check = measure(target, {"kind": "roundtrip", "url": service.url, "attempts": 1, "slow_ms": 500})
            assert (answer["health"]["overall_status"], check["status"], check["remedy"], len(service.kept)) == (verdict, status, remedy, left)
        assert check["metrics"]["left_behind"] is bool(left)
        assert ("selfheal-roundtrip-" in check["message"]) is bool(left)

    def test_notes_of_others_survive_a_write_that_is_sent_elsewhere(self, target: Target) -> None:
        with notes(target.host, _PORT) as service:
            target.host.run(["python3", "-c", f"import urllib.request as u; u.urlopen(u.Request({service.url!r}, data=b'of somebody'))"])
            answer, check = measure(target, {"kind": "roundtrip", "url": service.url.rstrip("/"), "attempts": 1})
            assert (answer["health"]["overall_status"], check["metrics"]["left_behind"], service.kept) == ("unhealthy", False, ["/notes/1"])
        assert "answered 307, which sends the request elsewhere" in check["message"]


class TestLogs:
    def test_flood_is_counted_in_time_and_says_that_it_was_cut(self, target: Target) -> None:
        environment = {"PASSWORD": "hunter2-canary"}
        limits: Any = {"Type": "json-file", "Config": {"max-size": "30m", "max-file": "3"}}
        target.engine.containers.run("selfheal/demo:1", name="web", entrypoint=_FLOOD, detach=True, environment=environment, log_config=limits)
        wait.until("a flood", lambda: _log_bytes(target) > 40 * 2**20, seconds=60)
        answer, check = measure(target, {"kind": "logs"})
        assert (answer["health"]["overall_status"], check["status"], check["critical"], check["remedy"]) == ("degraded", "failed", False, "report")
        assert check["metrics"]["cut"] is True
        assert check["metrics"]["error_lines"] >= 1000
        assert check["message"].startswith("at least ")
        assert check["message"].endswith("ERROR the disk of ******** is on fire, and the whole street can see it")
        assert "canary" not in answer.output
        assert answer["stable"] is True

    @pytest.mark.parametrize("tty", [False, True])
    def test_lines_from_before_the_last_start_do_not_count(self, target: Target, tty: bool) -> None:
        script = 'test -e /again || { for n in 1 2 3; do echo "ERROR $n"; done; touch /again; }; echo "ERROR now"; exec sleep 1000'
        target.engine.containers.run("selfheal/demo:1", name="web", entrypoint=["/bin/busybox", "sh", "-c", script], detach=True, tty=tty, init=True)
        wait.until("its lines", lambda: "ERROR now" in target.host.docker("logs", "web"), seconds=10)
        _answer, check = measure(target, {"kind": "logs"})
        assert (check["status"], check["metrics"]["error_lines"]) == ("healthy", 4)
        target.host.docker("restart", "web")
        wait.until("its line again", lambda: target.host.docker("logs", "web").count("ERROR now") == 2, seconds=10)
        _answer, check = measure(target, {"kind": "logs", "soft_errors": 0})
        assert (check["status"], check["metrics"]["error_lines"]) == ("soft", 1)
        _answer, check = measure(target, {"kind": "logs", "soft_errors": 0, "ignore": ["n[ou]w$"]})
        assert (check["status"], check["metrics"]["error_lines"]) == ("healthy", 0)

    def test_log_that_is_not_kept_is_unmeasured(self, target: Target) -> None:
        target.start(log_config={"Type": "none"})
        answer, check = measure(target, {"kind": "logs"})
        assert (answer["health"]["overall_status"], check["status"]) == ("healthy", "unmeasured")
        assert "log driver none" in check["message"]

    def test_missing_container_is_unmeasured(self, target: Target) -> None:
        _answer, check = measure(target, {"kind": "logs"})
        assert (check["status"], "no container named 'web'" in check["message"]) == ("unmeasured", True)


def _log_bytes(target: Target) -> int:
    directory = Path(target.host.path(target.inspect()["LogPath"])).parent
    return sum(file.stat().st_size for file in directory.glob("*.log*"))
