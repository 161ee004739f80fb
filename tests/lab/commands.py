# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Commands of the machine that `up` and `down` run: argument lists only, with a deadline, and with the lock as standard input."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .errors import LabError

_LET_GO = 'exec "$@" </dev/null'  # said inside the namespace: from here on `down` finds the process there


class Commands:
    """Runs commands on behalf of whoever holds the lock `fd`."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def run(self, argv: Sequence[str], *, check: bool = True, seconds: float = 30) -> subprocess.CompletedProcess[str]:
        try:
            done = subprocess.run(argv, stdin=self._fd, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{' '.join(argv)}: no answer within {seconds:g} s") from error
        if check and done.returncode != 0:
            raise LabError(f"{' '.join(argv)}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()}")
        return done

    def stay(self, namespace: str, argv: Sequence[str], *, log: Path, environment: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start something that outlives this process, inside a network namespace."""
        with log.open("ab") as output:
            return subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{namespace}", "/bin/sh", "-c", _LET_GO, "sh", *argv],
                stdin=self._fd,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | (environment or {}),
            )
