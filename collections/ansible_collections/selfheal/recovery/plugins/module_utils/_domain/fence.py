# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The fence: what an acting call brings along, and what a host makes of it (contract, lease and fencing).

A host obeys whoever is admitted *last* by the store it knows. What it remembers and the fence that comes are enough to tell; nobody is asked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping

from .errors import BadInput, RecoveryError
from .scope import Scope

FOREIGN_STORE = "foreign_store"
FENCE_STALE = "fence_stale"
LEASE_EXPIRED = "lease_expired"

_STORE_ID = re.compile(r"\A[0-9a-f]{32}\Z")


class GuardRefused(RecoveryError):
    """This host does not take this action now; ``reason`` says which rule."""

    reason = "guard_refused"


@dataclass(frozen=True)
class Fence:
    """What the store's admission hands to an acting call.

    ``scope`` is the instance, ``token`` grows with every admission of its service, ``adopts`` are stores that were replaced by this one on a
    person's word, ``boot_id`` and ``not_after`` (seconds since that boot) are the end of the lease in the host's own clock. ``recheck`` asks
    to measure once more before acting, because the instance waited for its turn.
    """

    session_id: str
    scope: Scope
    token: int
    store_id: str
    adopts: tuple[str, ...]
    boot_id: str
    not_after: float
    recheck: bool = False

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Fence:
        """The fence of ``{session_id, scope, token, store_id, adopts, not_after: {boot_id, seconds}}``; raises ``BadInput``."""
        end = data.get("not_after")
        if not isinstance(end, Mapping):
            raise BadInput(f"expected fence.not_after to be {{boot_id, seconds}}, found {end!r:.80}")
        scope = Scope.parse(str(data.get("scope") or ""))
        if not scope.instance:
            raise BadInput(f"expected the scope of an instance in the fence, like production/web/web1, found {str(scope)!r}")
        try:
            token, seconds = int(data["token"]), float(end["seconds"])
        except (KeyError, TypeError, ValueError):
            raise BadInput("expected numbers in fence.token and fence.not_after.seconds") from None
        session = str(data.get("session_id") or "")
        if not session:
            raise BadInput("expected fence.session_id not to be empty")
        stores = [str(data.get("store_id") or ""), *map(str, data.get("adopts") or ())]
        wrong = [store for store in stores if not _STORE_ID.match(store)]
        if wrong:
            raise BadInput(f"expected the id of a store, 32 lower-case hex digits, found {wrong[0]!r:.80}")
        return cls(session, scope, token, stores[0], tuple(stores[1:]), str(end.get("boot_id") or ""), seconds, bool(data.get("recheck")))


@dataclass(frozen=True)
class Remembered:
    """What a host remembers: the store it obeys (empty: none yet), and the highest token of the fence's service from that store."""

    store_id: str = ""
    token: int = 0
    token_session: str = ""


def judge(fence: Fence, remembered: Remembered, boot_id: str, boot_seconds: float, needs_s: float) -> None:
    """Raises ``GuardRefused`` unless an action that takes up to ``needs_s`` may begin."""
    if remembered.store_id not in ("", fence.store_id, *fence.adopts):
        raise GuardRefused(
            f"this host obeys another state store ({remembered.store_id}), not the one that sends this action ({fence.store_id})",
            "If that store was replaced by this one, say so on the control node: "
            f'selfheal state adopt --from {remembered.store_id} --reason "…"; if not, stop the other control node or this one',
            reason=FOREIGN_STORE,
        )
    if remembered.store_id == fence.store_id and fence.token < remembered.token:
        raise GuardRefused(
            f"a later session of {fence.scope.service_key} was here already ({remembered.token_session}, token {remembered.token}); "
            f"session {fence.session_id} holds token {fence.token}",
            "Nothing to do: this session was overtaken, and the later one acts",
            reason=FENCE_STALE,
        )
    check_lease(fence, boot_id, boot_seconds, needs_s)


def check_lease(fence: Fence, boot_id: str, boot_seconds: float, needs_s: float) -> None:
    """Raises ``GuardRefused`` when the lease ended, or ends before an action of ``needs_s`` would."""
    if not boot_id or fence.boot_id != boot_id:
        raise GuardRefused("the host has booted since it was measured", "Measure again: the next run does", reason=LEASE_EXPIRED)
    left = fence.not_after - boot_seconds
    if left < needs_s:
        raise GuardRefused(
            f"the lease of session {fence.session_id} ends in {left:.0f} s, and this action may take {needs_s:.0f} s",
            "Nothing to do: whoever comes next begins with a lease of its own",
            reason=LEASE_EXPIRED,
        )
