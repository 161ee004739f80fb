# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The first rung: restart the container as it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Mapping

from .._domain import container as containers
from .._domain.outcomes import NOT_STARTED, REFUSED
from .deadline import Deadline
from .engine.client import RESTART_MARGIN, Engine
from .engine.errors import EngineFailure, NoSuchContainer
from .rung import Declined

_RESTARTED = frozenset({"running", "exited", "created", "restarting"})
# A container that asks for endless patience gets five minutes: a stuck one would otherwise hold the host for ever.
_LONGEST_GRACE_S = 300


@dataclass(frozen=True)
class ContainerRestart:
    """``grace``: seconds between SIGTERM and SIGKILL, ``None`` for the container's own."""

    grace: int | None = None
    name: str = "container_restart"

    def check(self, inspect: Mapping[str, Any]) -> None:
        """A paused container was paused by a person; one that is dead or going away cannot be started."""
        state, who = containers.state_of(inspect), str(inspect.get("Name") or "").lstrip("/")
        if state == containers.PAUSED:
            raise Declined(REFUSED, "container_paused", f"container {who} is paused, which somebody did on purpose: left alone (docker unpause {who})")
        if state not in _RESTARTED:
            raise Declined(NOT_STARTED, f"container_{state or 'unknown'}", f"container {who} is {state or 'in no known state'}: a restart cannot help")

    def needs_s(self, engine: Engine, inspect: Mapping[str, Any]) -> float:
        """The grace, and what the engine may need besides, for it and for each of those that hang on it."""
        return self._seconds(inspect) * (1 + len(_dependents(engine, str(inspect.get("Id")))))

    def apply(self, engine: Engine, inspect: Mapping[str, Any]) -> str:
        """Restart it, then those that live in its network namespace: it is a new one, and they would be left with loopback only."""
        grace = self.grace
        if grace is None and not 0 <= containers.stop_timeout_s(inspect) <= _LONGEST_GRACE_S:
            grace = _LONGEST_GRACE_S
        identity, state = str(inspect.get("Id")), containers.state_of(inspect)
        engine.restart(identity, grace, Deadline(self._seconds(inspect)))
        dependents = self._restart_dependents(engine, identity, inspect)
        also = f", and {', '.join(dependents)} in its network namespace" if dependents else ""
        return f"restarted container {str(inspect.get('Name') or '').lstrip('/')}, which was {state}{also}"

    def _seconds(self, inspect: Mapping[str, Any]) -> float:
        own = containers.stop_timeout_s(inspect) if self.grace is None else self.grace
        return (own if 0 <= own <= _LONGEST_GRACE_S else _LONGEST_GRACE_S) + RESTART_MARGIN

    def _restart_dependents(self, engine: Engine, identity: str, inspect: Mapping[str, Any]) -> list[str]:
        restarted = []
        try:
            for other in _dependents(engine, identity):
                with suppress(NoSuchContainer):
                    engine.restart(str(other.get("Id")), self.grace, Deadline(self._seconds(inspect)))
                    restarted.append(str((other.get("Names") or ["?"])[0]).lstrip("/"))
        except EngineFailure as error:
            error.sent = True  # the container itself was restarted
            raise
        return restarted


def _dependents(engine: Engine, identity: str) -> list[dict[str, Any]]:
    """The running containers that use the network of ``identity`` (``network_mode: container:…``)."""
    return [other for other in engine.containers() if (other.get("HostConfig") or {}).get("NetworkMode") == f"container:{identity}"]
