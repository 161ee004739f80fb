# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The demo service's faults: files in a directory that is mounted into its container, so they can be set while it runs, stopped or not."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import LabError

AT_START = ("crash", "relapse", "start-delay")
RUNTIME = ("deaf", "hang", "http500", "slow")
_SECONDS = ("relapse", "slow", "start-delay")


class Faults:
    """Faults of one service.

    `crash` exits with 1 at every start; `start-delay` (seconds) listens only after that; `relapse` (whole seconds) is healthy so long
    after each start, then answers 500; `hang` accepts and does not answer; `http500`; `slow` (seconds) answers late; `deaf` ignores SIGTERM.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    def set(self, name: str, content: str | float = "", until_restart: bool = False) -> None:
        """Switch a fault on. With `until_restart` the next start of the service cures it; only the ones of a running service can be cured so."""
        if name not in AT_START + RUNTIME:
            raise LabError(f"fault {name!r}: expected one of {', '.join(sorted(AT_START + RUNTIME))}")
        if until_restart and name in AT_START:
            raise LabError(f"fault {name!r} shows from the start on: a restart cannot cure it")
        if name in _SECONDS and not _is_seconds(name, str(content)):
            raise LabError(f"fault {name!r}: expected {'whole ' if name == 'relapse' else ''}seconds, found {content!r}")
        place = self._place(name, until_restart)
        draft = self.directory / f".{place.name}"
        draft.write_text(str(content))
        os.replace(draft, place)

    def clear(self, name: str | None = None) -> None:
        """Switch a fault off, both kinds of it; without a name, all."""
        for each in [name] if name else AT_START + RUNTIME:
            for until_restart in (False, True):
                self._place(each, until_restart).unlink(missing_ok=True)

    def active(self) -> list[str]:
        """The file names of what is switched on."""
        return sorted(path.name for path in self.directory.iterdir() if not path.name.startswith("."))

    def _place(self, name: str, until_restart: bool) -> Path:
        return self.directory / (f"{name}.until-restart" if until_restart else name)


def _is_seconds(name: str, content: str) -> bool:
    return content.isdigit() if name == "relapse" else content.replace(".", "", 1).isdigit()
