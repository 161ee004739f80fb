# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec
from ansible_collections.selfheal.recovery.plugins.modules.recovery_session import argument_spec, decided
from ansible_collections.selfheal.recovery.plugins.plugin_utils._control import ControlAction


class ActionModule(ControlAction):
    """The gate, where decisions are taken."""

    module = "selfheal.recovery.recovery_session"

    def spec(self) -> Spec:
        return argument_spec()

    def answer(self, params: dict[str, Any], check_mode: bool) -> Mapping[str, Any]:
        return decided(params, check_mode)
