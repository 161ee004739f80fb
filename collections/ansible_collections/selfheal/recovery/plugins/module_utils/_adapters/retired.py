# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A store that is not to be used any more: what it says about itself, and how it refuses.

Hosts obey a store by its identity. Two live stores of one identity would each believe that they alone hand out leases; so whatever makes a
second one in our commands leaves one of the two retired: the old store when a state was moved, the copy when it was backed up.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from .store_errors import StateCorrupt, StateRetired

MOVED = "moved"
BACKUP = "backup"


@dataclass(frozen=True)
class Retired:
    """Why a store is retired: ``kind`` is ``moved`` or ``backup``.

    Of a moved one, ``to`` is the new place as it may be shown, and ``to_id`` the identity that the new store had while it was empty: as long as it
    has that one, it has not taken the state over.
    """

    kind: str
    at: str
    by: str
    to: str = ""
    to_id: str = ""

    def to_text(self) -> str:
        """The form in which it is stored."""
        return json.dumps(asdict(self), sort_keys=True)

    def refusal(self, place: str) -> StateRetired:
        """What everybody is told who wants to use the store in ``place``."""
        if self.kind == BACKUP:
            return StateRetired(
                f"expected a state store in {place}, found a backup that was made at {self.at} by {self.by}",
                f"A backup is not used itself. Restore it into an empty store: selfheal state import {place} --reason WHY --state NEW-URL",
            )
        return StateRetired(
            f"expected the state in {place}, found that {self.by} moved it to {self.to} at {self.at}",
            f"Use that one (RECOVERY_STATE). If the move was cut short, repeat it: selfheal state import {place} --state NEW-URL",
        )


def from_text(text: object, place: str) -> Retired | None:
    """What is stored in ``place``; ``None`` when nothing is: a store in use."""
    if text is None or text == "":
        return None
    try:
        return Retired(**json.loads(str(text)))
    except (TypeError, ValueError):
        raise StateCorrupt(
            f"expected a valid note on where the state {place} went, found another", "Nothing was changed. Restore the state from a backup"
        ) from None
