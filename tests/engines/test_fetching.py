# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where the engines come from: a mirror that is not there, or that is not Debian's, gives none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.lab import LabError, engines, rootfs

pytestmark = pytest.mark.lab


@pytest.fixture
def cache(machine: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, on a machine that knows no mirror."""
    monkeypatch.setenv("SELFHEAL_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(rootfs, "MACHINE_SOURCES", ())
    return tmp_path / "cache"


@pytest.fixture
def forger(tmp_path: Path) -> Iterator[str]:
    """The address of a mirror whose release nobody has signed."""
    release = tmp_path / "mirror" / "debian" / "dists" / "trixie" / "InRelease"
    release.parent.mkdir(parents=True)
    release.write_text(
        "Origin: Debian\nSuite: stable\nCodename: trixie\nDate: Sat, 09 Aug 2025 08:00:00 UTC\nArchitectures: amd64 arm64\nComponents: main\nSHA256:\n"
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "mirror")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/debian"
    server.shutdown()
    thread.join()
    server.server_close()


def test_unsigned_release_is_refused(cache: Path, forger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_DEBIAN", forger)
    with pytest.raises(LabError, match=r"engine of Debian trixie could not be fetched from .* is not signed"):
        engines.ensure(["trixie"])
    assert [path.name for path in cache.iterdir()] == ["lock"]


def test_mirror_that_does_not_answer_is_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_DEBIAN", "http://127.0.0.1:9/debian")
    with pytest.raises(LabError, match=r"could not be fetched from http://127\.0\.0\.1:9/debian"):
        engines.ensure(["sid"])
    assert [path.name for path in cache.iterdir()] == ["lock"]
