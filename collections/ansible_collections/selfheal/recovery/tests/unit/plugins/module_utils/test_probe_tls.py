# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a certificate makes of a probe: real servers with certificates of a real authority."""

from __future__ import annotations

import re
import socket
import ssl
import struct
from datetime import datetime, timedelta, timezone
from functools import partial

import pytest

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.clock import SystemClock
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes import certificate
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.kind import Result, Unmeasured
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.probes.registry import parse
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils import probing
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.certificates import OPENSSL, Authority, encrypted, hashed
from ansible_collections.selfheal.recovery.tests.unit.plugins.module_utils.servers import RawServer, response, says

pytestmark = pytest.mark.skipif(not OPENSSL, reason="openssl makes the certificates, and is not installed")

measure = partial(probing.measure, clock=SystemClock())


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def serve(pair, answer=None, client=None):
    """A server with this certificate and key; ``client`` is an authority whose certificates it wants to see."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if client:
        context.load_verify_locations(client.certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    return RawServer(answer or says(200), tls=context)


def http(server, authority=None, **options):
    trust = {"ca_path": str(authority.certificate)} if authority else {}
    return measure(kind="http", url=f"https://localhost:{server.port}/", **{"attempts": 1, **trust, **options})


def tcp(server, authority=None, **options):
    trust = {"ca_path": str(authority.certificate)} if authority else {}
    return measure(kind="tcp", port=server.port, tls=True, **trust, **options)


BOTH = pytest.mark.parametrize("probe", [http, tcp])


def test_http_healthy_when_the_certificate_is_of_an_authority_of_ones_own(authority):
    with serve(authority.issue(days=30)) as server:
        result = http(server, authority)
    assert (result.status, result.remedy) == ("healthy", "")
    assert 29 < result.metrics["certificate_days"] <= 30


def test_tcp_healthy_when_its_certificate_is_good(authority):
    with serve(authority.issue(days=30)) as server:
        result = tcp(server, authority)
    assert result.status == "healthy"
    assert 29 < result.metrics["certificate_days"] <= 30


def test_authorities_may_be_a_directory_of_them(authority, tmp_path):
    with serve(authority.issue()) as server:
        assert http(server, ca_path=str(tmp_path)).status == "failed"
        hashed(authority, tmp_path)
        assert http(server, ca_path=str(tmp_path)).status == "healthy"


def test_http_failed_when_the_certificate_is_expired(authority):
    """Once is enough: the next second does not change it."""
    with serve(authority.issue(days=-1, since=-20)) as server:
        result = http(server, authority, attempts=3)
    assert (result.status, result.remedy, result.metrics["attempts"]) == ("failed", "report", 1)
    assert "certificate has expired" in result.message


def test_tcp_failed_when_the_certificate_is_expired(authority):
    with serve(authority.issue(days=-1, since=-20)) as server:
        result = tcp(server, authority)
    assert (result.status, result.remedy) == ("failed", "report")
    assert "certificate has expired" in result.message


@BOTH
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"days": 30, "since": 5}, "certificate is not yet valid"),
        ({"name": "other.example"}, "certificate is not valid for 'localhost'"),
    ],
)
def test_failed_for_a_person_when_the_certificate_is_not_good(authority, probe, given, message):
    with serve(authority.issue(**given)) as server:
        result = probe(server, authority)
    assert (result.status, result.remedy) == ("failed", "report")
    assert message in result.message


@BOTH
def test_failed_for_a_person_when_nobody_trusts_the_certificate(authority, probe):
    with serve(authority.issue()) as server:
        result = probe(server)
        assert (result.status, result.remedy) == ("failed", "report")
        assert "unable to get local issuer certificate" in result.message
        assert probe(server, validate_certs=False).status == "healthy"


@BOTH
def test_expiry_is_measured_without_trust(authority, probe):
    with serve(authority.issue(days=-1, since=-20)) as server:
        result = probe(server, validate_certs=False)
        assert (result.status, result.remedy) == ("failed", "report")
        assert re.search(r"its certificate expired on \d{4}-\d\d-\d\d \d\d:\d\d UTC", result.message)
        assert -1.1 < result.metrics["certificate_days"] < -0.9
        assert probe(server, validate_certs=False, certificate_days=0).status == "healthy"
    with serve(authority.issue(days=30, since=5)) as server:
        assert "is not valid before" in probe(server, validate_certs=False).message


def test_http_soft_when_the_certificate_expires_soon(authority):
    with serve(authority.issue(days=10)) as server:
        result = http(server, authority)
        assert (result.status, result.remedy) == ("soft", "report")
        assert "expires in 10.0 days (less than 14)" in result.message
        assert http(server, authority, certificate_days=9).status == "healthy"
        assert http(server, authority, certificate_days=0).metrics["certificate_days"] == 10.0


def test_tcp_soft_when_the_certificate_expires_soon(authority):
    """Without TLS there is no soft limit to cross: a connection is accepted or not."""
    with serve(authority.issue(days=10)) as server:
        result = tcp(server, authority)
    assert (result.status, result.remedy) == ("soft", "report")


def test_slow_service_stays_the_ladders_whatever_its_certificate(authority):
    with serve(authority.issue(days=10)) as server:
        result = http(server, authority, slow_ms=0)
    assert (result.status, result.remedy) == ("soft", "")
    assert "on average" in result.message and "expires in" in result.message


def test_service_that_fails_behind_a_good_certificate_is_the_ladders(authority):
    with serve(authority.issue(days=10), says(500)) as server:
        result = http(server, authority)
    assert (result.status, result.remedy) == ("failed", "")


def test_name_in_the_certificate_may_be_another_than_the_hosts(authority):
    with serve(authority.issue(name="web.example")) as server:
        assert http(server, authority, server_name="web.example").status == "healthy"
        assert tcp(server, authority, server_name="other.example").status == "failed"


@BOTH
def test_client_certificate_is_shown_to_a_service_that_wants_one(authority, probe):
    mine, key = authority.issue(name="probe")
    with serve(authority.issue(), client=authority) as server:
        assert probe(server, authority, client_cert=str(mine), client_key=str(key)).status == "healthy"


def test_service_that_refuses_the_client_is_for_a_person(authority, tmp_path):
    mine, key = Authority(tmp_path).issue(name="stranger")
    with serve(authority.issue(), client=authority) as server:
        for given in ({}, {"client_cert": str(mine), "client_key": str(key)}):
            result = http(server, authority, **given)
            assert (result.status, result.remedy) == ("failed", "report"), result
            assert "does not accept this probe's client certificate" in result.message


@BOTH
@pytest.mark.parametrize("option", ["ca_path", "client_cert"])
def test_unmeasured_when_a_file_of_the_probes_own_is_missing_or_no_certificate(authority, probe, option, tmp_path):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("hunter2-secret")
    with serve(authority.issue()) as server:
        for path, message in ((wrong, "wrong.pem"), (tmp_path / "none.pem", "no such file or directory")):
            with pytest.raises(Unmeasured, match=message) as caught:
                probe(server, **{option: str(path)})
            assert "hunter2" not in str(caught.value)


def test_http_unmeasured_when_the_clients_key_has_a_password(authority):
    """And nobody is asked for it on a terminal."""
    mine, key = authority.issue(name="probe")
    with serve(authority.issue()) as server, pytest.raises(Unmeasured, match="encrypted, expected one without a password"):
        http(server, authority, client_cert=str(mine), client_key=str(encrypted(key)))


def test_tcp_unmeasured_when_the_authoritys_file_is_missing(authority, tmp_path):
    with serve(authority.issue()) as server, pytest.raises(Unmeasured, match="TLS cannot be set up on this host"):
        tcp(server, ca_path=str(tmp_path / "none.pem"))


@BOTH
def test_failed_in_time_when_tls_hangs(authority, probe):
    with RawServer(says(200), accept=False) as server:
        result = probe(server, deadline=0.3)
    assert (result.status, result.remedy) == ("failed", "")
    assert "no TLS within" in result.message


@BOTH
def test_failed_when_the_connection_is_reset_before_tls_is_spoken(authority, probe):
    with _Resets() as server:
        result = probe(server)
    assert (result.status, result.remedy) == ("failed", "")
    assert "reset" in result.message


class _Resets(RawServer):
    """Accepts, listens to the first words, and drops the connection."""

    def __init__(self):
        super().__init__(None)

    def _talk(self, connection):
        connection.recv(16)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


def test_secret_headers_do_not_reach_a_service_that_is_not_trusted(authority):
    with serve(authority.issue()) as server:
        http(server, secret_headers={"X-Token": "canary-token"})
        assert server.requests == []


def test_redirect_to_plain_http_is_not_followed(authority):
    with RawServer(says(200)) as other:
        pair = authority.issue()
        with serve(pair, lambda connection, *_: connection.sendall(response(302, Location=f"http://localhost:{other.port}/"))) as server:
            assert http(server, authority).metrics["status"] == 302
        assert other.requests == []


@pytest.mark.parametrize("option", ["ca_path", "client_cert", "client_key"])
def test_relative_path_is_refused(option):
    with pytest.raises(BadInput, match="absolute path on the host"):
        parse([{"kind": "tcp", "port": 1, option: "own.pem"}])


@pytest.mark.parametrize(
    ("option", "value"),
    [("certificate_days", -1), ("certificate_days", 4000), *(("server_name", name) for name in ("a b", ".x", "a..b", "a" * 64))],
)
def test_tls_option_that_cannot_be_meant_is_refused(option, value):
    with pytest.raises(BadInput, match=option):
        parse([{"kind": "http", "url": "https://x/", option: value}])


class TestReading:
    def test_validity_of_every_real_certificate(self, authority):
        context = ssl.create_default_context(cafile=str(authority.certificate))
        (der,) = context.get_ca_certs(binary_form=True)
        (known,) = context.get_ca_certs()
        found = certificate.read(der)
        assert found.not_after.timestamp() == ssl.cert_time_to_seconds(known["notAfter"])
        assert found.not_before.timestamp() == ssl.cert_time_to_seconds(known["notBefore"])

    def test_years_from_2050_on_are_written_in_another_way(self, authority):
        days = (datetime(2061, 1, 1, tzinfo=timezone.utc) - datetime.now(timezone.utc)) / timedelta(days=1)
        path, _key = authority.issue(name="late", days=round(days))
        found = certificate.read(ssl.PEM_cert_to_DER_cert(path.read_text()))
        assert abs(found.not_after.year - 2061) <= 1

    def test_what_is_no_certificate_is_not_read(self, authority):
        der = ssl.PEM_cert_to_DER_cert(authority.certificate.read_text())
        assert certificate.read(b"") is None
        assert certificate.read(b"-----BEGIN") is None
        for length in range(0, len(der), 7):
            certificate.read(der[:length])
        for place in range(200):
            certificate.read(der[:place] + bytes([der[place] ^ 0xFF]) + der[place + 1 :])

    def test_age_that_cannot_be_read_judges_nothing(self):
        now = datetime(2026, 1, 1, tzinfo=timezone.utc)
        fresh = certificate.Certificate(now, now + timedelta(days=90))
        assert fresh.judge(Result("healthy", "well"), now, 14) == Result("healthy", "well", {"certificate_days": 90.0})
