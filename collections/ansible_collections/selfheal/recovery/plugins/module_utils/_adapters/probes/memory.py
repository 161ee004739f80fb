# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a probe remembers on its host from one measurement to the next: answers that are too dear to ask for every time.

Below the host guard's directory, which is its owner's alone: nobody else can make a probe believe that all is well. It is a convenience. What
cannot be read or written is measured anew.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

from ..files import NotPrivate, check_private, private_directory, write_whole

_FORMAT = 1


@dataclass(frozen=True)
class Memory:
    """The memory of the probe ``owner`` (any text that tells it from all others of this host). Without ``writes`` it only reads."""

    directory: Path | None
    owner: str = ""
    writes: bool = True

    def load(self) -> dict[str, Any]:
        """What was saved last; empty when there is nothing, or nothing that can be trusted."""
        if self.directory is None:
            return {}
        try:
            check_private(self.directory.parent)
            check_private(self.directory)
            data = json.loads(self._path(self.directory).read_bytes())
        except (OSError, ValueError, NotPrivate):
            return {}
        good = isinstance(data, dict) and data.get("version") == _FORMAT and data.get("owner") == self.owner
        return data if good else {}

    def save(self, data: Mapping[str, Any]) -> None:
        """Remember ``data`` (plain JSON) instead of what was saved before."""
        if self.directory is None or not self.writes:
            return
        with suppress(OSError, NotPrivate):
            private_directory(self.directory.parent)
            private_directory(self.directory)
            write_whole(self._path(self.directory), json.dumps({"version": _FORMAT, "owner": self.owner, **data}, sort_keys=True).encode())

    def _path(self, directory: Path) -> Path:
        return directory / f"{hashlib.sha256(self.owner.encode()).hexdigest()[:32]}.json"


FORGETFUL = Memory(None)
