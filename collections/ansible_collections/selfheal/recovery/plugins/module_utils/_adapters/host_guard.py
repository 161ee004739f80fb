# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a host remembers of those who act on it, and the lock that lets one act at a time.

Layout of the directory: ``store.json`` (the store this host obeys), ``services/<hash>.json`` (the highest token of each service),
``instances/<hash>.lock`` (held while somebody acts on the instance), ``journals/<hash>.json`` (a multi-step action under way), ``evidence/``.
Names are hashed: a scope is text that people chose, and never becomes a path. Locks are the kernel's: it frees them when a process dies.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterator, Mapping

from .._domain.fence import Fence, GuardRefused, Remembered, check_lease, judge
from .._domain.scope import Scope
from .._domain.times import to_text
from .clock import Clock, SystemClock
from .files import NotPrivate, check_private, private_directory, sync_directory, write_whole

GUARD_UNREADABLE = "guard_unreadable"
HOST_BUSY = "host_busy"
_FORMAT = 1
_POLL_S = 0.05
_HOST_LOCK_S = 5.0


def default_directory() -> Path:
    """Where it is unless told otherwise."""
    if os.geteuid() == 0:
        return Path("/var/lib/selfheal/host")
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state) / "selfheal" / "host"


@dataclass
class Held:
    """The right to act on one instance, while it lasts. ``unfinished`` is the journal somebody left behind half-way, or ``None``."""

    guard: HostGuard
    fence: Fence
    unfinished: dict[str, Any] | None
    _path: Path = field(repr=False)

    def require(self, needs_s: float) -> None:
        """Raises ``GuardRefused`` when the lease ends before a step of ``needs_s`` would."""
        clock = self.guard.clock
        check_lease(self.fence, clock.boot_id(), clock.boot_seconds(), needs_s)

    def write_journal(self, entry: Mapping[str, Any]) -> None:
        """Remember what is about to be done, so that anybody can undo it; on disk when this returns."""
        at = to_text(self.guard.clock.now())
        self.guard.save(self._path, {"scope": str(self.fence.scope), "session_id": self.fence.session_id, "token": self.fence.token, "at": at, **entry})

    def forget_journal(self) -> None:
        """The action ended, or was undone: nothing is half done any more."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return
        sync_directory(self._path.parent)


class HostGuard:
    """The guard in ``directory``. ``wait_s`` is how long an action waits for the one before it."""

    def __init__(self, directory: Path | None = None, clock: Clock | None = None, wait_s: float = 5.0) -> None:
        self.directory = directory or default_directory()
        self.clock = clock or SystemClock()
        self._wait_s = wait_s

    def read(self, scope: Scope) -> dict[str, Any]:
        """``{store_id, token, journal}`` as remembered about ``scope`` (an instance); writes nothing, not even the directory.

        ``store_id`` is empty and ``token`` 0 where nobody has acted yet, ``journal`` is ``None`` unless an action was left half done.
        """
        try:
            check_private(self.directory)
        except FileNotFoundError:
            return {"store_id": "", "token": 0, "journal": None}
        remembered = self._remembered(scope)
        return {"store_id": remembered.store_id, "token": remembered.token, "journal": self._load(self._journal(scope))}

    def predict(self, fence: Fence, needs_s: float) -> None:
        """Raises what ``acting`` would refuse with as things are; locks nothing and writes nothing."""
        known = self.read(fence.scope)
        judge(fence, Remembered(known["store_id"], known["token"]), self.clock.boot_id(), self.clock.boot_seconds(), needs_s)

    @contextmanager
    def acting(self, fence: Fence, action: str, needs_s: float, journal: Mapping[str, Any] | None = None) -> Iterator[Held]:
        """Hold the instance of ``fence`` for an action of up to ``needs_s`` seconds; raises ``GuardRefused``.

        With a ``journal`` that is written before anything is done and forgotten when the block ends without an exception. A journal that was
        left behind is not overwritten by one: the block finds it in ``unfinished``, and has to undo or forget it first.
        """
        private_directory(self.directory)
        path = private_directory(self.directory / "instances") / f"{_hash(str(fence.scope))}.lock"
        with self._locked(path, fence, action):
            with self._locked(self.directory / "host.lock", fence, action, _HOST_LOCK_S):
                judge(fence, self._remembered(fence.scope), self.clock.boot_id(), self.clock.boot_seconds(), needs_s)
                self._remember(fence)
            leftover = self._load(self._journal(fence.scope))
            held = Held(self, fence, leftover, self._journal(fence.scope))
            writes = journal is not None and leftover is None
            if writes:
                held.write_journal({"action": action, **(journal or {})})
            yield held
            if writes:
                held.forget_journal()

    def _journal(self, scope: Scope) -> Path:
        return self.directory / "journals" / f"{_hash(str(scope))}.json"

    def _service(self, scope: Scope) -> Path:
        return self.directory / "services" / f"{_hash(scope.service_key)}.json"

    def _remembered(self, scope: Scope) -> Remembered:
        """The store, and the service's token if it is of that store: an adopted store counts from its own beginning."""
        store = self._load(self.directory / "store.json")
        if store is None:
            return Remembered()
        store_id = str(store.get("store_id") or "")
        if not store_id:
            raise _unreadable(self.directory / "store.json", "it names no store")
        service = self._load(self._service(scope)) or {}
        if service.get("store_id") != store_id:
            return Remembered(store_id)
        try:
            return Remembered(store_id, int(service["token"]), str(service.get("session_id") or ""))
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(self._service(scope), "it has no token") from error

    def _remember(self, fence: Fence) -> None:
        known = self._remembered(fence.scope)
        at = to_text(self.clock.now())
        if known.store_id != fence.store_id:
            self.save(self.directory / "store.json", {"store_id": fence.store_id, "before": known.store_id, "since": at})
        if known.store_id != fence.store_id or known.token != fence.token or known.token_session != fence.session_id:
            service = {"service": fence.scope.service_key, "store_id": fence.store_id, "token": fence.token, "session_id": fence.session_id, "at": at}
            self.save(self._service(fence.scope), service)

    def save(self, path: Path, data: Mapping[str, Any]) -> None:
        """Write one of the guard's files; raises ``GuardRefused`` when it cannot be kept."""
        private_directory(path.parent)
        try:
            write_whole(path, json.dumps({"version": _FORMAT, **data}, sort_keys=True).encode())
        except OSError as error:
            raise GuardRefused(
                f"the host guard cannot remember this action in {path}: {error.strerror or error}", "Free space on the host", GUARD_UNREADABLE
            ) from error

    def _load(self, path: Path) -> dict[str, Any] | None:
        """What ``path`` holds, ``None`` when it is not there; what cannot be understood is refused, never taken as nothing."""
        try:
            data = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise _unreadable(path, getattr(error, "strerror", None) or "it is not JSON") from error
        if not isinstance(data, dict) or data.get("version") != _FORMAT:
            found = data.get("version") if isinstance(data, dict) else type(data).__name__
            raise _unreadable(path, f"expected version {_FORMAT}, found {found!r:.40}")
        return data

    @contextmanager
    def _locked(self, path: Path, fence: Fence, action: str, wait_s: float | None = None) -> Iterator[None]:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unreadable(path, error.strerror or str(error)) from error
        try:
            self._wait_for(handle, path, fence.scope, self._wait_s if wait_s is None else wait_s)
            _sign(handle, {"pid": os.getpid(), "session_id": fence.session_id, "action": action, "since": to_text(self.clock.now())})
            yield
            _sign(handle, {})
        finally:
            os.close(handle)

    def _wait_for(self, handle: int, path: Path, scope: Scope, wait_s: float) -> None:
        end = self.clock.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if self.clock.monotonic() >= end:
                    message = f"{_holder(handle)} holds {scope} on this host, and did not end within {wait_s:g} s"
                    raise GuardRefused(message, "Nothing to do: it finishes, or its lease ends", HOST_BUSY) from None
                self.clock.sleep(_POLL_S)
            except OSError as error:
                raise _unreadable(path, f"it cannot be locked ({error.strerror})") from error
            else:
                return


def _sign(handle: int, holder: Mapping[str, Any]) -> None:
    """Write into a lock who holds it, for whoever waits; the lock itself does not depend on it (a full disk keeps nobody out, nor in)."""
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode(), 0)


def _holder(handle: int) -> str:
    """Who wrote its name into a lock; that it cannot be read is no reason to disbelieve the lock."""
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return "session {session_id} ({action}, process {pid}, since {since})".format(**holder)
    except (OSError, ValueError, KeyError, TypeError):
        return "somebody"


def _unreadable(path: Path, why: str) -> GuardRefused:
    advice = "Nothing is done until a person has looked at it: what it said decides who may act here. Restore it, or remove it when no other session runs"
    return GuardRefused(f"the host guard cannot read {path}: {why}", advice, GUARD_UNREADABLE)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


__all__ = ["GUARD_UNREADABLE", "HOST_BUSY", "GuardRefused", "Held", "HostGuard", "NotPrivate", "default_directory"]
