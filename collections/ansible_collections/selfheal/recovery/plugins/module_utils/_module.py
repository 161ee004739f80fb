# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: INP001 - module_utils itself is Ansible's namespace, and has no __init__.py
"""What the modules that work on an instance share: pieces of their argument specifications, and the objects made of them.

A check of arguments that needs no host happens here too, so that the action plugins fail early and alike.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Mapping

from ._adapters.engine.client import Engine
from ._adapters.engine.transport import DEFAULT_ADDRESS
from ._adapters.evidence import EVIDENCE_SECONDS
from ._adapters.host_guard import HostGuard
from ._adapters.prober import MODULE_DEADLINE, Prober
from ._adapters.probes.registry import parse, suboptions
from ._adapters.rung import Rung, Step
from ._domain.errors import BadInput
from ._domain.fence import Fence
from ._domain.scope import Scope
from ._domain.timing import STABLE_WINDOW, STARTUP_GRACE, VERIFY_TIMEOUT
from ._finish import Spec

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


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


def acting_spec() -> Spec:
    """Options of every module that acts on an instance (doc fragment ``instance.acting``)."""
    return {
        **instance_spec(),
        "fence": {
            "type": "dict",
            "required": True,
            "options": {
                "session_id": {"type": "str", "required": True},
                "scope": {"type": "str", "required": True},
                "token": {"type": "int", "required": True, "no_log": False},
                "store_id": {"type": "str", "required": True},
                "adopts": {"type": "list", "elements": "str", "default": []},
                "not_after": {
                    "type": "dict",
                    "required": True,
                    "options": {"boot_id": {"type": "str", "required": True}, "seconds": {"type": "float", "required": True}},
                },
                "step": {"type": "int"},
                "recheck": {"type": "bool", "default": False},
            },
        },
        "stable_window": {"type": "float", "default": STABLE_WINDOW},
        "verify_timeout": {"type": "float", "default": VERIFY_TIMEOUT},
        "evidence_timeout": {"type": "float", "default": EVIDENCE_SECONDS},
    }


def guard_of(params: Mapping[str, Any]) -> HostGuard:
    """The host's guard."""
    return HostGuard(Path(params["guard_dir"]) if params["guard_dir"] else None)


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


def rung_of(params: Mapping[str, Any], step: Step, check_mode: bool = False) -> Rung:
    """The rung that takes ``step`` on the instance that the options describe; raises ``BadInput``."""
    fence = Fence.parse(params["fence"])
    prober = prober_of(params, fence.session_id, check_mode)
    if str(fence.scope) != str(prober.scope):
        raise BadInput(f"the fence is for {fence.scope}, and the task for {prober.scope}", "Hand each instance its own fence")
    return Rung(
        fence=fence,
        step=step,
        engine=prober.engine,
        guard=prober.guard,
        prober=prober,
        evidence_seconds=params["evidence_timeout"],
        stable_window=params["stable_window"],
        verify_timeout=params["verify_timeout"],
    )


def act(module: AnsibleModule, step: Step) -> dict[str, Any]:
    """The result of a module that takes ``step``: facts, never a failure for a decision; ``changed`` is what happened, or in check mode would."""
    rung = rung_of(module.params, step, bool(module.check_mode))
    outcome = (rung.predict() if module.check_mode else rung.run()).to_json()
    before, after = outcome.pop("before"), outcome.pop("after")
    result = {
        "scope": module.params["scope"],
        "rung": step.name,
        "step": module.params["fence"]["step"],
        "changed": outcome["mutated"] or outcome["reason"] == "check_mode",
        **outcome,
    }
    if module._diff:
        result["diff"] = {"before": before, "after": after}
    return result
