# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec
from ansible_collections.selfheal.recovery.plugins.modules.recovery_report import argument_spec, reported
from ansible_collections.selfheal.recovery.plugins.plugin_utils._control import ControlAction


class ActionModule(ControlAction):
    """The report, on the control node."""

    module = "selfheal.recovery.recovery_report"

    def spec(self) -> Spec:
        return argument_spec()

    def answer(self, params: dict[str, Any], check_mode: bool) -> Mapping[str, Any]:
        return reported(params, check_mode)
