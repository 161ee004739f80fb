# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An embedded state store in a temporary directory, filled by hand: a fixture for tests of what people command."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.sqlite import SqliteStore
from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.store import Change
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.breaker import CLOSED, DEPLOYMENT, OPEN, RECOVERY, Track
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.events import Event
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.state import (
    Environment,
    Instance,
    Record,
    Sample,
    Service,
    Session,
    service_from_json,
    to_json,
)

KEY = "production/web"


def track(count: int, name: str = RECOVERY, is_open: bool = False, reason: str = "health_check_failed") -> Track:
    """A track that has failed ``count`` times."""
    opened = {"opened_at": "2026-01-02T00:00:00.000Z", "opened_by": "schedule", "last_trigger": "threshold", "trigger_reason": reason}
    return Track(
        name,
        failure_count=count,
        status=OPEN if is_open else CLOSED,
        last_failure_time="2026-01-02T00:00:00.000Z" if count else "",
        last_failure_reason=reason if count else "",
        **(opened if is_open else {}),
    )


def instance(count: int = 0, is_open: bool = False, **more: Any) -> Instance:
    """An instance that was measured, with a recovery track that has failed ``count`` times."""
    return Instance(recovery=track(count, is_open=is_open), samples=(Sample("2026-01-02T00:00:00.000Z", "unhealthy", "unhealthy"),), **more)


def record(session: str = "recovery-20260101T000000Z-00000000", **more: str) -> Record:
    """A settled attempt."""
    known = {
        "started_at": "2026-01-01T00:00:00.000Z",
        "settled_at": "2026-01-01T00:05:00.000Z",
        "outcome": "failed",
        "reason": "repair_failed",
        "rung": "network_reset",
        "triggered_by": "schedule",
    }
    return Record(session_id=session, **{**known, **more})


def session(expires_at: str = "2999-01-01T00:00:00.000Z", holder: str = "cron@control") -> Session:
    """A session that runs."""
    began = "2026-01-01T00:00:00.000Z"
    return Session("recovery-20260101T000000Z-00000000", 7, holder, "schedule", began, expires_at, "2999-01-01T01:00:00.000Z", 600)


@dataclass
class Place:
    """A state in ``directory``."""

    directory: Path
    events: list[Event] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.directory / "state" / "state.db"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def fill(self, key: str = KEY, service: Service | None = None, environment: Environment | None = None, events: tuple[Event, ...] = ()) -> None:
        """Write a service (as it is: no rule of the domain is asked) and its environment."""
        documents = {key: to_json(service or Service()), key.split("/", maxsplit=1)[0]: to_json(environment or Environment())}
        store = SqliteStore(str(self.path))
        store.transact(list(documents), lambda _snapshot: Change(documents, events))
        store.close()

    def service(self, key: str = KEY) -> Service:
        """What is stored now."""
        store = SqliteStore(str(self.path))
        document = store.read([key]).documents[key]
        store.close()
        return service_from_json(key, document)

    def log(self) -> list[Event]:
        """All events, oldest first."""
        store = SqliteStore(str(self.path))
        events = store.events(limit=10000)
        store.close()
        return events


__all__ = ["DEPLOYMENT", "KEY", "RECOVERY", "Environment", "Place", "Service", "instance", "record", "replace", "session", "track"]
