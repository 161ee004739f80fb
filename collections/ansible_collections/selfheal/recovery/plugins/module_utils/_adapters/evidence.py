# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is saved about an instance before the first action changes it.

Written root-only on the host, below the guard's directory; only paths and sizes leave through a module's result. Values of the container's
environment are never stored: their names are, and every value of 6 characters or more is masked wherever it turns up.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Iterator, Mapping

from .._domain.container import environment
from .._domain.errors import RecoveryError
from .._domain.masking import Masker, names_only
from .._domain.scope import Scope
from .._domain.times import to_text
from .background import Background
from .clock import Clock, SystemClock
from .deadline import TIMEOUTS, Deadline
from .engine.client import Engine
from .engine.logs import Logs
from .files import private_directory, write_whole
from .prober import Prober

EVIDENCE_SECONDS = 5.0
SESSION_BYTES = 2 * 1024 * 1024
KEPT_SECONDS = 30 * 86400
KEPT_BYTES = 500 * 1024 * 1024
LOG_LINES = 500
_LOG_BYTES = SESSION_BYTES // 2
_LAST_WORDS_S = 0.2
_MANIFEST = "manifest.json"
_SESSION = re.compile(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")


@dataclass
class Evidence:
    """Where it lies: ``path`` (empty when nothing could be written), size by file, what could not be had, and whether it was taken just now."""

    path: str = ""
    files: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    captured: bool = False

    def to_json(self) -> dict[str, Any]:
        """A plain mapping, in the shape of a module's result."""
        return asdict(self)


class EvidenceStore:
    """Evidence below ``directory`` (the guard's)."""

    def __init__(self, directory: Path, clock: Clock | None = None, session_bytes: int = SESSION_BYTES) -> None:
        self._root = directory / "evidence"
        self._clock = clock or SystemClock()
        self._session_bytes = session_bytes

    def capture(self, session_id: str, scope: Scope, inspect: Mapping[str, Any], engine: Engine, prober: Prober, seconds: float) -> Evidence:
        """Save what can be had in ``seconds``; what hangs is left out and named. It never raises: evidence must not stand in the way of repair.

        Only the first capture of an instance in a session counts: later ones would describe what the first action left.
        """
        evidence = Evidence()
        try:
            place = self._place(session_id, scope)
            evidence.path = str(place)
            if (place / _MANIFEST).exists():
                evidence.files = {entry.name: entry.stat().st_size for entry in sorted(place.iterdir())}
                return evidence
            self._capture(place, evidence, scope, inspect, engine, prober, Deadline(max(0.0, seconds - _LAST_WORDS_S)))
        except (OSError, RecoveryError) as error:
            evidence.errors.append(str(error))
        return evidence

    def prune(self, seconds: float = KEPT_SECONDS, total_bytes: int = KEPT_BYTES) -> list[str]:
        """Remove the sessions that are older than ``seconds``, then the oldest while all together are too big; returns their names."""
        now, kept, removed = self._clock.now().timestamp(), 0, []
        for modified, name, size in self._sessions():
            kept += size
            if now - modified > seconds or kept > total_bytes:
                shutil.rmtree(self._root / name, ignore_errors=True)
                removed.append(name)
        return removed

    def _sessions(self) -> list[tuple[float, str, int]]:
        """Time, name and size of every session, newest first."""
        try:
            folders = [entry for entry in os.scandir(self._root) if entry.is_dir(follow_symlinks=False)]
            return sorted(((entry.stat(follow_symlinks=False).st_mtime, entry.name, _size(Path(entry.path))) for entry in folders), reverse=True)
        except OSError:
            return []  # none yet, or another run tidies up at the same time

    def _place(self, session_id: str, scope: Scope) -> Path:
        name = session_id if _SESSION.match(session_id) else "session-" + hashlib.sha256(session_id.encode()).hexdigest()[:32]
        private_directory(self._root)
        session = private_directory(self._root / name)
        return private_directory(session / hashlib.sha256(str(scope).encode()).hexdigest()[:16])

    def _capture(self, place: Path, evidence: Evidence, scope: Scope, inspect: Mapping[str, Any], engine: Engine, prober: Prober, deadline: Deadline) -> None:
        masker = Masker(environment(inspect))
        terminal = bool((inspect.get("Config") or {}).get("Tty"))
        identity = str(inspect.get("Id") or "")
        logs = Background(lambda: engine.logs(identity, LOG_LINES, terminal, _LOG_BYTES, deadline), "logs")
        health = Background(lambda: prober.impatient().measure(deadline.left), "probes")
        folder = _Folder(place, self._session_bytes - _size(place.parent), evidence)
        folder.add("inspect.json", _json(masker, _without_values(inspect)))
        with _noted(evidence, "probes"):
            folder.add("health.json", _json(masker, health.result(deadline.left + _LAST_WORDS_S / 2).health.to_json()))
        with _noted(evidence, "logs"):
            self._add_logs(folder, logs.result(deadline.left + _LAST_WORDS_S / 2), masker)
        folder.add(_MANIFEST, _json(masker, {"scope": str(scope), "at": to_text(self._clock.now()), "files": evidence.files, "errors": evidence.errors}))
        evidence.captured = True

    def _add_logs(self, folder: _Folder, logs: Logs, masker: Masker) -> None:
        for name, data in (("stdout.log", logs.stdout), ("stderr.log", logs.stderr)):
            folder.add(name, masker.text(data.decode("utf-8", "replace")).encode(), end=True)
        if logs.error:
            folder.evidence.errors.append(f"logs: {logs.error}")


class _Folder:
    """Files of one capture, until the session's room is used up."""

    def __init__(self, path: Path, room: int, evidence: Evidence) -> None:
        self._path = path
        self._room = room
        self.evidence = evidence

    def add(self, name: str, data: bytes, end: bool = False) -> None:
        """Write one file; of what is too big for the room its beginning is kept, or its ``end``."""
        if len(data) > self._room:
            self.evidence.errors.append(f"{name}: {len(data)} bytes, cut to {max(0, self._room)}")
            data = (data[-self._room :] if end else data[: self._room]) if self._room > 0 else b""
        if data:
            write_whole(self._path / name, data)
            self._room -= len(data)
            self.evidence.files[name] = len(data)


@contextmanager
def _noted(evidence: Evidence, part: str) -> Iterator[None]:
    """Turns the failure of one part into a line of ``errors``."""
    try:
        yield
    except TIMEOUTS:
        evidence.errors.append(f"{part}: not within the time for evidence")
    except RecoveryError as error:
        evidence.errors.append(f"{part}: {error}")


def _without_values(inspect: Mapping[str, Any]) -> dict[str, Any]:
    config = dict(inspect.get("Config") or {})
    return {**inspect, "Config": {**config, "Env": names_only(config.get("Env") or [])}}


def _json(masker: Masker, data: Any) -> bytes:
    return json.dumps(masker.data(data), indent=1, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace")


def _size(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_symlink() and file.is_file())
