# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Asking something inside the container, for every kind that has ``in_container``."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ..._domain.container import RUNNING, state_of
from ..engine import exec as engine_exec
from ..engine.errors import ContainerNotRunning, NoSuchContainer
from .kind import Context, Option

# The service's own doing, like a refused connection: a kind answers with ``failed``. All else that goes wrong inside is ``unmeasured``.
NOT_RUNNING = (ContainerNotRunning, NoSuchContainer)

IN_CONTAINER: Mapping[str, Option] = {"in_container": Option("bool", default=False)}


def running(context: Context) -> Mapping[str, Any]:
    """The container as the engine describes it; raises one of ``NOT_RUNNING`` unless it runs."""
    inspect = context.inspect()
    state = state_of(inspect)
    if state != RUNNING:
        raise ContainerNotRunning(context.container, f"it is {state or 'in no known state'}")
    return inspect


def run(context: Context, argv: Sequence[str], limit: int = engine_exec.OUTPUT_LIMIT, user: str = "") -> engine_exec.Ran:
    """Run ``argv`` in the container by the probe's deadline (``engine/exec.py``); also raises one of ``NOT_RUNNING``."""
    identity = str(running(context).get("Id"))
    try:
        return engine_exec.run(context.engine, identity, argv, context.deadline, limit, user)
    except ContainerNotRunning as error:
        raise ContainerNotRunning(context.container, error.said) from None
