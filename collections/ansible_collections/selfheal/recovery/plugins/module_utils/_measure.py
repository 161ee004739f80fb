# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: INP001 - module_utils itself is Ansible's namespace, and has no __init__.py
"""What the modules that work on an instance share, and the measuring itself.

A check of arguments that needs no host happens here too, so that the action plugins fail early and alike. It loads as little as can be:
this is what every healthy instance costs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Mapping

from ._adapters.engine.client import Engine
from ._adapters.engine.transport import DEFAULT_ADDRESS
from ._adapters.host_guard import HostGuard
from ._adapters.prober import MODULE_DEADLINE, Prober
from ._adapters.probes.registry import parse, suboptions
from ._domain.errors import BadInput
from ._domain.scope import Scope
from ._domain.timing import STARTUP_GRACE
from ._domain.verdict import HEALTHY, for_ladder
from ._finish import Spec


def instance_spec() -> Spec:
    """Options of every module that measures an instance (doc fragment ``instance``)."""
    return {
        "scope": {"type": "str", "required": True},
        "container": {"type": "str", "required": True},
        "probes": {"type": "list", "elements": "dict", "default": [], "options": suboptions()},
        "startup_grace": {"type": "float", "default": STARTUP_GRACE},
        "deadline": {"type": "float", "default": MODULE_DEADLINE},
        "docker_host": {"type": "str", "default": DEFAULT_ADDRESS},
        "guard_dir": {"type": "path"},
    }


def guard_of(params: Mapping[str, Any]) -> HostGuard:
    """The host's guard; its directory may begin with ``~`` or hold variables, the host's own."""
    place = params["guard_dir"]
    return HostGuard(Path(os.path.expanduser(os.path.expandvars(place))) if place else None)


def prober_of(params: Mapping[str, Any], session_id: str, check_mode: bool = False) -> Prober:
    """The prober of the instance that the options describe; raises ``BadInput``."""
    scope = Scope.parse(params["scope"])
    if not scope.instance:
        raise BadInput(f"expected the scope of an instance, like production/web/web1, found {params['scope']!r:.200}")
    if not params["container"] or "/" in params["container"]:
        raise BadInput(f"expected the name of a container, found {params['container']!r:.200}")
    for option in ("deadline", "startup_grace"):
        if params[option] < (1 if option == "deadline" else 0):
            raise BadInput(f"expected {option} to be {'at least 1 s' if option == 'deadline' else '0 s or more'}, found {params[option]:g}")
    return Prober(
        scope=scope,
        container=params["container"],
        probes=parse(params["probes"] or ()),
        engine=Engine(params["docker_host"]),
        guard=guard_of(params),
        session_id=session_id,
        grace=params["startup_grace"],
        seconds=params["deadline"],
        check_mode=check_mode,
    )


def service_health_info(params: Mapping[str, Any], check_mode: bool, _diff: bool = False) -> dict[str, Any]:
    """The result of the module of this name."""
    prober = prober_of(params, params["session_id"], check_mode)
    if params["until_healthy_for"] > 0:
        from ._adapters.waiter import until_stable

        waited = until_stable(prober.measure, params["until_healthy_for"], params["timeout"], max(0.1, params["interval"]))
        measured, stable, seconds = waited.last, waited.reached, waited.seconds
    else:
        measured, seconds = prober.measure(), 0.0
        stable = for_ladder(measured.health) == HEALTHY
    return {
        "changed": False,
        "scope": params["scope"],
        "policy": params["policy"],
        "health": measured.health.to_json(),
        "observed": measured.observed,
        "stable": stable,
        "waited_s": round(seconds, 1),
        "unreachable_host": False,
    }
