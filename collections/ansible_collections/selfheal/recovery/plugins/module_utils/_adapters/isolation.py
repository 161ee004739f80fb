# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looking at files as a container sees them, with no more rights than its own process has, and without the power to change any.

The calls are Linux's own (unshare(2), setns(2), mount(2), capset(2)); Python has no names for most of them. Only for processes of one thread.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterator

_NEW_MOUNTS = 0x20000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_CAPABILITY_VERSION_3 = 0x20080522
# Every container and every host has this directory; in mounts of our own it can be covered.
_COVERED = "/proc"


@dataclass(frozen=True)
class Identity:
    """As whom a process acts: its ids, and the capabilities it can use (a bit set)."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    capabilities: int


def identity_of(pid: int) -> Identity:
    """As whom process ``pid`` of this host acts; raises ``OSError``."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as stream:
        found = dict(line.split(":", 1) for line in stream if ":" in line)
    try:
        ids = [int(found[name].split()[1]) for name in ("Uid", "Gid")]
        return Identity(ids[0], ids[1], tuple(map(int, found["Groups"].split())), int(found["CapEff"], 16))
    except (KeyError, IndexError, ValueError) as error:
        raise OSError(f"/proc/{pid}/status is not readable as one") from error


def enter_mounts(handle: int) -> None:
    """See the files that the process sees whose ``/proc/PID/ns/mnt`` is open as ``handle``; raises ``OSError``."""
    _call("setns", handle, _NEW_MOUNTS)


def confine(directory: str, name: str) -> None:
    """Make ``directory`` the root of this process, read-only, and act as the owner of the file ``name`` in it from now on. There is no way back.

    Raises ``OSError``: it needs root with CAP_SYS_ADMIN.
    """
    _call("unshare", _NEW_MOUNTS)
    _mount(None, "/", _RECURSIVE | _PRIVATE)
    _mount(directory, _COVERED, _BIND | _RECURSIVE)
    _mount(None, _COVERED, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES | _NO_EXEC)
    os.chroot(_COVERED)
    os.chdir("/")
    owner = os.lstat(name)
    os.setgroups([])
    os.setresgid(owner.st_gid, owner.st_gid, owner.st_gid)
    os.setresuid(owner.st_uid, owner.st_uid, owner.st_uid)


@contextmanager
def acting_as(identity: Identity) -> Iterator[None]:
    """Act as ``identity`` for a while; raises ``OSError``. Needs root."""
    groups, mask = os.getgroups(), _capabilities()
    os.setgroups(identity.groups)
    os.setresgid(identity.gid, identity.gid, 0)
    os.setresuid(identity.uid, identity.uid, 0)
    try:
        if identity.uid == 0:  # a root without its powers, as `cap_drop: all` makes it
            _set_capabilities(mask & identity.capabilities)
        yield
    finally:
        os.setresuid(0, 0, 0)
        _set_capabilities(mask)
        os.setresgid(0, 0, 0)
        os.setgroups(groups)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _capabilities() -> int:
    """The capabilities in force."""
    sets = (_Sets * 2)()
    _call("capget", ctypes.byref(_Header(_CAPABILITY_VERSION_3, 0)), ctypes.byref(sets))
    return int(sets[0].effective) | int(sets[1].effective) << 32


def _set_capabilities(mask: int) -> None:
    header, sets = _Header(_CAPABILITY_VERSION_3, 0), (_Sets * 2)()
    _call("capget", ctypes.byref(header), ctypes.byref(sets))
    for number in (0, 1):
        sets[number].effective = mask >> 32 * number & 0xFFFFFFFF & sets[number].permitted
    _call("capset", ctypes.byref(header), ctypes.byref(sets))


def _mount(source: str | None, target: str, flags: int) -> None:
    _call("mount", os.fsencode(source) if source else None, os.fsencode(target), None, ctypes.c_ulong(flags), None)


def _call(name: str, *arguments: object) -> None:
    try:
        function = getattr(ctypes.CDLL(None, use_errno=True), name)
    except AttributeError as error:
        raise OSError(f"this host's C library has no {name}") from error
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
