# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: INP001 - module_utils itself is Ansible's namespace, and has no __init__.py
"""What the modules of the rungs share, and the rungs by the names of their modules."""

from __future__ import annotations

from typing import Any, Mapping

from ._adapters.container_restart import ContainerRestart
from ._adapters.evidence import EVIDENCE_SECONDS
from ._adapters.rung import Rung, Step
from ._domain.errors import BadInput
from ._domain.fence import Fence
from ._domain.timing import STABLE_WINDOW, VERIFY_TIMEOUT
from ._finish import Spec
from ._measure import instance_spec, prober_of


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


def restart_of(params: Mapping[str, Any]) -> ContainerRestart:
    """The step of ``container_restart``; raises ``BadInput``."""
    grace = params["stop_grace"]
    if grace is not None and not 0 <= grace <= 300:
        raise BadInput(f"expected stop_grace to be 0 to 300 s, found {grace}")
    return ContainerRestart(grace)


def container_restart(params: Mapping[str, Any], check_mode: bool, diff: bool) -> dict[str, Any]:
    """The result of the module of this name."""
    return _taken(restart_of(params), params, check_mode, diff)


def _taken(step: Step, params: Mapping[str, Any], check_mode: bool, diff: bool) -> dict[str, Any]:
    """What came of ``step``: facts, never a failure for a decision; ``changed`` is what happened, or in check mode would."""
    rung = rung_of(params, step, check_mode)
    outcome = (rung.predict() if check_mode else rung.run()).to_json()
    before, after = outcome.pop("before"), outcome.pop("after")
    result = {
        "scope": params["scope"],
        "rung": step.name,
        "step": params["fence"]["step"],
        "changed": outcome["mutated"] or outcome["reason"] == "check_mode",
        **outcome,
    }
    if diff:
        result["diff"] = {"before": before, "after": after}
    return result
