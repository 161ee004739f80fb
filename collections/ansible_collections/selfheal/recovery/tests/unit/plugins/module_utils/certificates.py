# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A certificate authority of a test's own, made by openssl: certificates that are good, expired, too young, for another name."""

from __future__ import annotations

import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

OPENSSL = shutil.which("openssl")
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
_CONFIGURATION = """
[ca]
default_ca = own
[own]
database = {directory}/index
new_certs_dir = {directory}
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
rand_serial = yes
[any]
commonName = supplied
"""


class Authority:
    """Its files are in ``directory``; ``certificate`` is what trusts it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.certificate, self._key = directory / "authority.pem", directory / "authority.key"
        (directory / "index").touch()
        (directory / "openssl.cnf").write_text(_CONFIGURATION.format(directory=directory))
        _openssl("req", "-x509", *_KEY, "-days", "30", "-subj", "/CN=authority of a test", "-keyout", self._key, "-out", self.certificate)

    def issue(self, name: str = "localhost", days: float = 30, since: float = -1, address: str = "127.0.0.1") -> tuple[Path, Path]:
        """Certificate and key of a server ``name``, valid from ``since`` to ``days`` days from now."""
        place = self._directory / f"{name}{days:+g}{since:+g}"
        certificate, key, request = (place.with_name(f"{place.name}.{kind}") for kind in ("pem", "key", "csr"))
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:{address}", "-keyout", key, "-out", request)
        signed = ["-cert", self.certificate, "-keyfile", self._key, "-in", request, "-out", certificate]
        _openssl("ca", "-batch", "-notext", "-config", self._directory / "openssl.cnf", *signed, "-startdate", _in(since), "-enddate", _in(days))
        return certificate, key


def encrypted(key: Path) -> Path:
    """A copy of a key, with a password."""
    place = key.with_suffix(".encrypted")
    _openssl("ec", "-in", key, "-out", place, "-aes256", "-passout", "pass:hunter2-secret")
    return place


def hashed(authority: Authority, directory: Path) -> None:
    """Put an authority into a directory of them, under the name by which OpenSSL finds it."""
    shutil.copy(authority.certificate, directory)
    _openssl("rehash", directory)


def _in(days: float) -> str:
    return f"{datetime.now(timezone.utc) + timedelta(days=days):%Y%m%d%H%M%SZ}"


def _openssl(*words: object) -> None:
    done = subprocess.run([OPENSSL or "openssl", *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
