# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.selfheal.recovery.plugins.module_utils._act import restart_of, rung_of
from ansible_collections.selfheal.recovery.plugins.modules.container_restart import argument_spec
from ansible_collections.selfheal.recovery.plugins.plugin_utils._action import FactsAction, Silence, silent_step


class ActionModule(FactsAction):
    """A host that falls silent while it acts may have acted."""

    module = "selfheal.recovery.container_restart"
    function = "_act.container_restart"

    def spec(self) -> Mapping[str, Any]:
        return argument_spec()

    def check(self, params: Mapping[str, Any]) -> object:
        return rung_of(params, restart_of(params))

    def silence(self, params: Mapping[str, Any], why: Silence) -> dict[str, Any]:
        return silent_step("container_restart", params, why, mutated=not self._task.check_mode)
