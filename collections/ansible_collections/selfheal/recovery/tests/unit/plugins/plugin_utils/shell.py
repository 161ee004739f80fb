# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal` as a test runs it: in this process, and as a real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.main import main
from ansible_collections.selfheal.recovery.tests.unit.plugins.place import Place

ROOT = next(parent.parent for parent in Path(__file__).resolve().parents if parent.name == "ansible_collections")
COMMAND = "import sys; from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.main import main; sys.exit(main())"
VARIABLES = ("RECOVERY_STATE", "RECOVERY_DEFAULT_SCOPE", "STORAGE_PATH", "SUDO_USER", "TAILPASTE_URL", "DOCKER_HOST", "SELFHEAL_DEBUG")


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def one_line(self) -> str:
        """The line that says why it could not be done, and that it is one, and no traceback."""
        assert self.code == 2
        assert self.out == ""
        assert self.err.startswith("selfheal: ")
        assert self.err.count("\n") == 1
        assert self.err.endswith("\n")
        assert "Traceback" not in self.err
        return self.err


Run = Callable[..., Said]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A state that no command has seen yet; RECOVERY_STATE names it."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    place = Place(tmp_path)
    monkeypatch.setenv("RECOVERY_STATE", place.url)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return place


@pytest.fixture
def run(place: Place, capsys: pytest.CaptureFixture[str]) -> Run:
    """``selfheal`` in this process."""

    def call(*argv: str) -> Said:
        capsys.readouterr()
        code = main(argv)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


def process(*argv: str, **settings: Any) -> subprocess.Popen[str]:
    """``selfheal`` as a process of its own, with pipes."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environ, **settings}
    return subprocess.Popen([sys.executable, "-c", COMMAND, *argv], **settings)


def finished(*argv: str, **settings: Any) -> Said:
    """The same, at its end."""
    running = process(*argv, **settings)
    out, err = running.communicate(timeout=60)
    return Said(running.returncode, out or "", err or "")
