# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one foreign binary of the demo service: a static busybox of this machine."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path

from ..errors import LabError

_INSTALL = "install it: apt-get install -y busybox-static"
_INTERPRETER = 3  # a program header of this type (PT_INTERP) makes a binary dynamically linked


def binary() -> Path:
    """Where busybox is. Raises LabError, saying what to install, when it is missing or dynamically linked."""
    found = Path("/bin/busybox") if Path("/bin/busybox").is_file() else Path(shutil.which("busybox") or "")
    if not found.is_file():
        raise LabError(f"busybox is missing; {_INSTALL}")
    if not is_static(found.read_bytes()):
        raise LabError(f"{found} is dynamically linked and would not run alone in an image; {_INSTALL}")
    return found


def is_static(content: bytes) -> bool:
    """Whether these bytes are a 64-bit little-endian ELF program that asks for no interpreter."""
    if content[:6] != b"\x7fELF\x02\x01":
        return False
    (offset,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    kinds = [struct.unpack_from("<I", content, offset + size * number)[0] for number in range(count)]
    return _INTERPRETER not in kinds
