# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands that the demo runs before the reader's eyes: the project's own, in an environment that nothing else reaches into."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .place import CHECKOUT, REPORTS

_TOOLS = Path(sys.executable).parent
_FOREIGN = ("ANSIBLE_", "CIRCUIT_BREAKER_", "DEPLOYMENT_", "DOCKER_", "GITHUB_", "PYTHON", "RECOVERY_", "STORAGE_", "TAILPASTE_", "XDG_")
_SECONDS = 120
_END_SECONDS = 10


def say(text: str = "") -> None:
    """Print at once: what comes next may be printed by another process."""
    print(text, flush=True)


@dataclass(frozen=True)
class Shell:
    """Runs commands with this state store; everything temporary goes to `directory`."""

    directory: Path
    state: str

    def run(self, *argv: str) -> int:
        """Show a command and what it prints; returns its exit status."""
        say(f"$ {shlex.join(argv)}")
        return self._run(argv, None).returncode

    def quietly(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """What a command comes to whose output is not shown."""
        return self._run(argv, subprocess.PIPE)

    def _run(self, argv: tuple[str, ...], output: int | None) -> subprocess.CompletedProcess[str]:
        line = [str(_TOOLS / argv[0]), *argv[1:]]
        child = subprocess.Popen(line, cwd=CHECKOUT, env=self._environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, text=True)
        try:
            said, complained = child.communicate(timeout=_SECONDS)
        except BaseException:
            _end(child)
            raise
        return subprocess.CompletedProcess(line, child.returncode, said or "", complained or "")

    def _environment(self) -> dict[str, str]:
        home = self.directory / "home"
        home.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return {
            **kept,
            "PATH": os.pathsep.join([str(_TOOLS), os.environ.get("PATH", os.defpath)]),
            "HOME": str(home),
            "TMPDIR": str(home),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_HOME": str(home / "ansible"),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            "RECOVERY_STATE": self.state,
            "RECOVERY_REPORTS": str(REPORTS),
        }


def _end(child: subprocess.Popen[str]) -> None:
    child.terminate()
    try:
        child.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
