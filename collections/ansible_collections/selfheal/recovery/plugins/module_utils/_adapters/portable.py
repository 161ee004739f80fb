# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A store as a whole: looked at, copied, moved. Every SQL store can do this; what decides about repairs needs only ``store.Store``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Callable, Mapping, Protocol, Sequence

from .._domain.errors import BadInput
from .._domain.times import from_text, to_text
from .retired import Retired
from .store import Document, Store

STORE_ID = re.compile(r"[0-9a-f]{32}")
FORMAT = "selfheal.recovery state"
VERSION = 1


@dataclass(frozen=True)
class Description:
    """What a store says about itself: its identity, the number of its schema, its time now and at its last write."""

    store_id: str
    schema: int
    now: datetime
    written: datetime
    retired: Retired | None = None


@dataclass(frozen=True)
class Recorded:
    """One event as it is stored, and the store's time when it was."""

    recorded_at: datetime
    body: Mapping[str, Any]

    @property
    def scope(self) -> str:
        """The scope that it is found by."""
        return str(self.body.get("scope", ""))


@dataclass(frozen=True)
class Whole:
    """Everything in a store as of one moment, ``now`` by the store's own time; events oldest first."""

    store_id: str
    now: datetime
    documents: Mapping[str, Document]
    events: Sequence[Recorded]

    def same_content(self, other: Whole) -> bool:
        """Whether documents and events are equal, these in the same order."""
        return dict(self.documents) == dict(other.documents) and list(self.events) == list(other.events)

    def to_json(self) -> dict[str, Any]:
        """The document of ``selfheal state export``."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "store_id": self.store_id,
            "time": to_text(self.now),
            "documents": dict(self.documents),
            "events": [{"recorded_at": to_text(each.recorded_at), "event": dict(each.body)} for each in self.events],
        }

    @classmethod
    def from_json(cls, data: Any) -> Whole:
        """What ``to_json`` gave; raises ``BadInput`` for anything else."""
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise BadInput("expected a state as 'selfheal state export' writes it, found another document")
        if data.get("version") != VERSION:
            raise BadInput(
                f"expected version {VERSION} of the format, found {data.get('version')!r:.40}", "Import it with the release that wrote it, or a later one"
            )
        try:
            events = [Recorded(from_text(each["recorded_at"]), dict(each["event"])) for each in data["events"]]
            documents = {str(scope): dict(document) for scope, document in data["documents"].items()}
            whole = cls(str(data["store_id"]), from_text(data["time"]), documents, events)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"expected a whole export, found one that lacks something: {type(error).__name__}: {error!s:.80}") from None
        if not STORE_ID.fullmatch(whole.store_id) or not all(each.scope for each in events):
            raise BadInput("expected the id of a store, and a scope in every event, found a document without")
        return whole


class Portable(Store, Protocol):
    """A ``Store`` that can be handed on as a whole. All of this refuses as the rest does; only where told is a retired store answered."""

    def present(self) -> bool:
        """Whether the store has been made; asking does not make it, as any other use does."""

    def describe(self) -> Description:
        """What the store says about itself; a retired one too."""

    def whole(self, retired_too: bool = False) -> Whole:
        """Everything, as of one moment."""

    def prune(self, before: datetime) -> int:
        """Delete the events that were recorded before then; how many there were."""

    def receive(self, function: Callable[[str, Callable[[Whole], None]], None]) -> None:
        """Take over a state, in one transaction that ends when ``function`` does; ``BadInput`` unless the store is empty.

        ``function`` gets this store's identity and a writer. The writer replaces everything, the identity too, and compares what can be read
        back with what it was given. Called again it starts over.
        """

    def retire(self, why: Retired, function: Callable[[Whole], None]) -> None:
        """Hand everything to ``function`` and retire, in one transaction that ends after it.

        A store that was retired for the same (``to_id``) does it again; any other retired store refuses.
        """
