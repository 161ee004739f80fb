# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What every state store promises; the conformance suite in ``tests/unit`` holds each of them to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Callable, Mapping, Protocol, Sequence

from .._domain.errors import RecoveryError
from .._domain.events import Event

Document = Mapping[str, Any]


class StateError(RecoveryError):
    """State could not be read or written; ``store_errors`` has a class for each way. Whoever meets it refuses to act (``state_unreadable``)."""

    reason = "state_unreadable"


@dataclass(frozen=True)
class Snapshot:
    """State as read at one moment: the store's own time and the documents asked for.

    ``documents`` has a key for every scope asked for; a scope nobody has written yet maps to ``None``.
    """

    now: datetime
    documents: Mapping[str, Document | None]


@dataclass(frozen=True)
class Change:
    """What a pure function wants written: whole documents by scope, events to append, and its answer to the caller."""

    documents: Mapping[str, Document] = field(default_factory=dict)
    events: Sequence[Event] = ()
    answer: Any = None


class Store(Protocol):
    """Guard state: JSON documents by scope, and an append-only event log.

    Scopes are ``<environment>`` and ``<environment>/<service>``; instances live inside their service's document. Every method has a
    deadline and raises ``StateError`` when it cannot keep its promise; none of them ever answers with an empty state instead.
    """

    def store_id(self) -> str:
        """The identity this store was given when it was created: 32 lower-case hex digits."""

    def read(self, scopes: Sequence[str]) -> Snapshot:
        """The documents of ``scopes``, all as of one moment."""

    def transact(self, scopes: Sequence[str], function: Callable[[Snapshot], Change]) -> Any:
        """Load, run ``function``, write what it returns and append its events in one commit; returns its answer.

        ``function`` is pure: on a conflict it runs again on what is there then. A ``Change`` with neither documents nor events writes nothing.
        When ``function`` raises, nothing is written. Only documents of ``scopes`` can be written, because only those were read: others, and
        what is no JSON object, raise ``BadInput``.
        """

    def scopes(self) -> list[str]:
        """Every scope that has a document, sorted."""

    def events(self, scope: str | None = None, limit: int = 10) -> list[Event]:
        """The newest ``limit`` events, oldest first; of ``scope`` and everything below it when one is given."""

    def close(self) -> None:
        """Give back what is held open; calling it twice is harmless."""
