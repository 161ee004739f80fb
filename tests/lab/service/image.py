# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo service's images, made from scratch: a layer with busybox that all releases share, and a small one per release."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LabError
from .busybox import binary

if TYPE_CHECKING:
    import docker  # type: ignore[import-untyped, unused-ignore]

REPOSITORY = "selfheal/demo"
CONTAINER_PORT = 8080
_FILES = Path(__file__).parent / "files"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_CREATED = "2025-01-01T00:00:00Z"  # fixed: the same release has the same digest wherever it is made


def tag(release: str, repository: str = REPOSITORY) -> str:
    return f"{repository}:{release}"


def image_archive(release: str, bad: bool = False, repository: str = REPOSITORY) -> bytes:
    """A release as an archive for `docker load`. A `bad` one starts well and answers every request with 500."""
    layers = [_base(), _release(release, bad)]
    configuration = json.dumps(_configuration(release, bad, layers), sort_keys=True).encode()
    name = f"{_digest(configuration)}.json"
    manifest = [{"Config": name, "RepoTags": [tag(release, repository)], "Layers": [f"{_digest(layer)}.tar" for layer in layers]}]
    files = {name: configuration, "manifest.json": json.dumps(manifest).encode()} | {f"{_digest(layer)}.tar": layer for layer in layers}
    return _tar([(_entry(path, 0o644), content) for path, content in files.items()])


def load(engine: docker.DockerClient, release: str = "1", bad: bool = False, repository: str = REPOSITORY) -> str:
    """Load a release into an engine; returns its tag."""
    engine.images.load(image_archive(release, bad, repository))
    return tag(release, repository)


def push(engine: docker.DockerClient, image: str) -> str:
    """Push a loaded image to the registry that its tag names; returns its manifest's digest (`sha256:...`)."""
    digest = ""
    for line in engine.images.push(image, stream=True, decode=True):
        if "error" in line:
            raise LabError(f"pushing {image}: {line['error']}")
        digest = line.get("aux", {}).get("Digest", digest)
    # An engine with containerd's image store does not say it in passing.
    return digest or _pushed(engine, image)


def _pushed(engine: docker.DockerClient, image: str) -> str:
    repository = image.rpartition(":")[0]
    known: list[str] = engine.images.get(image).attrs["RepoDigests"]
    (digest,) = [each.rpartition("@")[2] for each in known if each.rpartition("@")[0] == repository]
    return digest


def _base() -> bytes:
    program = binary()
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, check=True, timeout=10).stdout.split()
    directories = [_entry(name, 0o755, kind=tarfile.DIRTYPE) for name in ("bin", "etc", "faults", "proc", "run", "srv", "sys")]
    directories.append(_entry("tmp", 0o1777, kind=tarfile.DIRTYPE))
    links = [_entry(f"bin/{name}", 0o777, kind=tarfile.SYMTYPE, target="busybox") for name in sorted(set(applets) - {"busybox"})]
    users = (_entry("etc/passwd", 0o644), b"root:x:0:0:root:/:/bin/sh\n")
    return _tar([*((entry, b"") for entry in directories), (_entry("bin/busybox", 0o755), program.read_bytes()), *((entry, b"") for entry in links), users])


def _release(release: str, bad: bool) -> bytes:
    members = [
        (_entry("bin/service", 0o755), (_FILES / "service.sh").read_bytes()),
        (_entry("srv/cgi-bin", 0o755, kind=tarfile.DIRTYPE), b""),
        (_entry("srv/cgi-bin/index.cgi", 0o755), (_FILES / "index.cgi").read_bytes()),
        (_entry("etc/release", 0o644), f"{release}\n".encode()),
    ]
    if bad:
        members.append((_entry("etc/bad-release", 0o644), b""))
    return _tar(members)


def _configuration(release: str, bad: bool, layers: list[bytes]) -> dict[str, object]:
    labels = {"org.opencontainers.image.version": release} | ({"selfheal.demo.bad": "true"} if bad else {})
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": _CREATED,
        "config": {
            "Env": ["PATH=/bin", f"SERVICE_RELEASE={release}"],
            "Entrypoint": ["/bin/service"],
            "ExposedPorts": {f"{CONTAINER_PORT}/tcp": {}},
            "Labels": labels,
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_digest(layer)}" for layer in layers]},
        "history": [{"created": _CREATED, "created_by": "busybox"}, {"created": _CREATED, "created_by": f"release {release}"}],
    }


def _entry(name: str, mode: int, *, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.linkname = mode, kind, target
    return entry


def _tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry, content in members:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
