# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the kinds ``storage`` and ``disk`` want to know about files. Runs in a process of its own (``helper.ask``)."""

from __future__ import annotations

import fnmatch
import os
import stat
import time
from contextlib import nullcontext
from typing import Any, ContextManager, Iterator, Mapping

from ..deadline import Deadline
from ..engine.exec import belongs_to
from ..helper import answer
from ..isolation import Identity, acting_as, enter_mounts, identity_of
from ..sqlite_check import CORRUPT, MAGIC, UNMEASURED, Seen, check, due, usable

_MOST_DATABASES = 20
_LEAST_S = 0.1
_BETWEEN_LOOKS_AT_THE_CLOCK = 500


def main() -> None:
    """Answer one question from standard input."""
    answer(lambda request: (storage if request.pop("what") == "storage" else disk)(**request))


def disk(paths: list[str]) -> dict[str, Any]:
    """``{path: facts}``: the file system below each path, ``{error}`` where there is none to be seen."""
    return {path: _file_system(path) for path in paths}


def _file_system(path: str) -> dict[str, Any]:
    try:
        found = os.statvfs(path)
        device = os.stat(path).st_dev
    except OSError as error:
        return {"error": _text(error)}
    return {
        "device": device,
        "read_only": bool(found.f_flag & os.ST_RDONLY),
        "size": found.f_blocks * found.f_frsize,
        "used": (found.f_blocks - found.f_bfree) * found.f_frsize,
        "free": found.f_bavail * found.f_frsize,
        "inodes": found.f_files,
        "inodes_used": found.f_files - found.f_ffree,
        "inodes_free": found.f_favail,
    }


def storage(
    path: str, pid: int, container_id: str, sqlite: list[str], every: float, sqlite_seconds: float, remembered: Mapping[str, Any], seconds: float
) -> dict[str, Any]:
    """Facts about a store: ``{found, kind, writable, read_only, bytes, files, complete, user, databases}``, or ``{error}``.

    ``pid`` is a process of the container ``container_id`` to look with the eyes of, 0 for the host's. ``databases`` maps the names of SQLite files
    to ``{seen, at, outcome, why}``, fresh or as ``remembered``; each may take ``sqlite_seconds``, everything together ``seconds``.
    """
    deadline = Deadline(seconds)
    can_check = usable()  # before anything else: inside the container its modules are not to be found
    identity = None
    if pid:
        try:
            identity = _enter(pid, container_id)
        except OSError as error:
            return _cannot("the container's files cannot be looked at", error)
    here = acting_as(identity) if identity else nullcontext()
    facts = _look(path, here, deadline)
    if facts.get("kind") in ("directory", "file"):
        each = sqlite_seconds if can_check else 0.0
        facts.update(_databases(path, facts["kind"] == "file", sqlite, remembered, every, each, deadline))
    return facts


def _cannot(what: str, error: OSError) -> dict[str, Any]:
    return {"error": f"{what}: {_text(error)}", "rights": isinstance(error, PermissionError)}


def _text(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def _enter(pid: int, container_id: str) -> Identity:
    """See the container's files; raises ``OSError``. The handle is opened before the number is looked up, so that it is of no other process."""
    handle = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY)
    try:
        identity = identity_of(pid)
        if not belongs_to(pid, container_id):
            raise OSError(f"process {pid} is none of the container's")
        enter_mounts(handle)
    finally:
        os.close(handle)
    os.chdir("/")
    return identity


def _look(path: str, here: ContextManager[None], deadline: Deadline) -> dict[str, Any]:
    with here:
        try:
            found = os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            return {"found": False}
        except OSError as error:
            return _cannot(f"{path} cannot be looked at", error)
        kind = "directory" if stat.S_ISDIR(found.st_mode) else "file" if stat.S_ISREG(found.st_mode) else "other"
        facts: dict[str, Any] = {"found": True, "kind": kind, "writable": _may_write(path, kind)}
        facts["read_only"] = bool(os.statvfs(path).f_flag & os.ST_RDONLY)
        facts["user"] = os.getuid()
        return {**facts, **(_size(path, found.st_dev, deadline) if kind == "directory" else {"bytes": found.st_blocks * 512, "files": 1, "complete": True})}


def _may_write(path: str, kind: str) -> bool:
    """Nothing is written to find out."""
    effective = os.access in os.supports_effective_ids  # `access` itself asks for what the process could get, not for what it has
    return os.access(path, os.W_OK | (os.X_OK if kind == "directory" else 0), effective_ids=effective)


def _size(path: str, device: int, deadline: Deadline) -> dict[str, Any]:
    """What a directory takes up on its own file system; links are not followed, and a file of several names counts once."""
    size, files, complete, many = 0, 0, True, set()
    for entry in _walk(path, device):
        if entry is None:
            complete = False
            continue
        files += 1
        if entry.st_nlink > 1 and not stat.S_ISDIR(entry.st_mode):
            if entry.st_ino in many:
                continue
            many.add(entry.st_ino)
        size += entry.st_blocks * 512
        if files % _BETWEEN_LOOKS_AT_THE_CLOCK == 0 and deadline.left < deadline.seconds / 2:
            return {"bytes": size, "files": files, "complete": False}
    return {"bytes": size, "files": files, "complete": complete}


def _walk(path: str, device: int) -> Iterator[os.stat_result | None]:
    """Everything below ``path`` on one file system; ``None`` for what may not be looked at. What vanishes meanwhile never was."""
    waiting = [path]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    found = _status(entry)
                    if found is None:
                        continue
                    yield found
                    if stat.S_ISDIR(found.st_mode) and found.st_dev == device:
                        waiting.append(entry.path)
        except FileNotFoundError:
            continue
        except OSError:
            yield None


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def _databases(path: str, single: bool, patterns: list[str], known: Mapping[str, Any], every: float, each: float, deadline: Deadline) -> dict[str, Any]:
    """The databases among the files; each may take ``each`` seconds, 0 where this Python cannot look into any."""
    try:
        names = [os.path.basename(path)][: len(patterns)] if single else sorted(name for name in os.listdir(path) if _matches(name, patterns))
    except OSError as error:
        return {"databases": {}, "databases_error": f"{path} cannot be listed: {_text(error)}"}
    directory = os.path.dirname(path) if single else path
    found: dict[str, Any] = {}
    for name in names:
        if len(found) == _MOST_DATABASES:
            return {"databases": found, "databases_error": f"only {_MOST_DATABASES} of its files were looked into: narrow sqlite down"}
        entry = _database(os.path.join(directory, name), known.get(name) or {}, every, each, deadline)
        if entry is not None:
            found[name] = entry
    return {"databases": found}


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


def _database(path: str, remembered: Mapping[str, Any], every: float, each: float, deadline: Deadline) -> Mapping[str, Any] | None:
    """The answer about one file; ``None`` when it is no database."""
    now = time.time()
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        seen = Seen.of(path)
        with open(path, "rb") as stream:
            head = stream.read(len(MAGIC))
    except FileNotFoundError:
        return None
    except OSError as error:
        return {"outcome": UNMEASURED, "why": f"it cannot be read: {_text(error)}", "at": now, "seen": {}}
    if head != MAGIC and not (remembered and head):
        return None
    if not due(remembered, seen, now, every):
        return remembered
    if head != MAGIC:
        outcome, why = CORRUPT, "it was a database, and its first bytes are none any more"
    elif each <= 0:
        return {"outcome": UNMEASURED, "why": "this host's Python has no sqlite3 module", "at": 0, "seen": {}}
    elif deadline.left <= _LEAST_S:
        return {"outcome": UNMEASURED, "why": "there was no time left to look into it", "at": 0, "seen": {}}
    else:
        try:
            outcome, why = check(path, Deadline(min(each, deadline.left)))
        except FileNotFoundError:
            return None
    return {"outcome": outcome, "why": why, "at": now, "seen": seen.to_json()}
