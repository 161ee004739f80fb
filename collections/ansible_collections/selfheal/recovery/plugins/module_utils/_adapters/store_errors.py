# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ways in which state can be out of reach, one class each, the same for every store.

They share the reason ``state_unreadable``: whoever meets one refuses to act. The class is for callers that can do better than refuse
(wait for ``StateBusy``, offer another command for ``StateNewer``) and for tests.
"""

from __future__ import annotations

from .store import StateError


class StateBusy(StateError):
    """Others held the state for longer than the deadline. Nothing was written; asking again may succeed."""


class StateCorrupt(StateError):
    """The state is damaged: it is ours, but does not hold what we wrote."""


class StateForeign(StateError):
    """Something is there, but it is not state of this collection."""


class StateNewer(StateError):
    """The state was written by a later release, with a schema this one does not know."""


class StateLost(StateError):
    """There are traces of a state that is no longer there. It is never taken for a fresh start."""


class StateFull(StateError):
    """There is no room to write. Nothing was written."""


class StateDenied(StateError):
    """The state may not be read or written by this user, or lies on something that cannot be written."""


class StateMisplaced(StateError):
    """The state lies, or would lie, where it cannot be kept safely."""


class StateUnreachable(StateError):
    """The server that keeps the state does not answer, or stopped answering before anything was written."""


class StateUncertain(StateError):
    """The line broke while a change was being committed: nobody here knows whether it was written. It is never repeated blindly."""


class StateRetired(StateError):
    """The state was moved elsewhere, or this is a backup of it. It is not used here any more."""
