# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Modules of the control node, run inside Ansible itself when the control node is where they are to run.

As a module they would be packed, written to disk and started in a new interpreter, three times in a run: more time than all else that a
recovery does here. Elsewhere, and wherever the task asks for another user, interpreter or environment, the module runs as any other.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import RecoveryError
from ansible_collections.selfheal.recovery.plugins.module_utils._finish import Spec
from ansible_collections.selfheal.recovery.plugins.plugin_utils._carrier import interpreter


class ControlAction(ActionBase):  # type: ignore[misc]  # ansible-core is not typed
    """A subclass names the module, and says what it does with its arguments."""

    module: str

    def spec(self) -> Spec:
        """The module's argument specification."""
        raise NotImplementedError

    def answer(self, params: dict[str, Any], check_mode: bool) -> Mapping[str, Any]:
        """The module's result; raises ``RecoveryError``."""
        raise NotImplementedError

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result, or its failure."""
        super().run(tmp, task_vars)
        if not self._at_home(task_vars or {}):
            result: dict[str, Any] = self._execute_module(module_name=self.module, task_vars=task_vars)
            return result
        validation, params = self.validate_argument_spec(self.spec())
        secrets = frozenset(validation._no_log_values)
        os.chdir(self._loader.get_basedir())  # relative paths mean the same as in a module; this process ends with the task
        try:
            return dict(remove_values(self.answer(_plain(params), bool(self._task.check_mode)), secrets))
        except RecoveryError as error:
            raise AnsibleActionFail(remove_values(str(error), secrets), result={"reason": error.reason}) from None

    def _at_home(self, task_vars: Mapping[str, Any]) -> bool:
        """Whether the task is for this machine, this user, this interpreter and this environment."""
        local = self._connection.transport == "local" and self._connection.become is None
        return local and not any(self._task.environment or ()) and interpreter(self, task_vars) in ("", sys.executable)


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as a module would receive them: plain JSON values, whatever Ansible wraps them in."""
    plain: dict[str, Any] = json.loads(json.dumps(params, default=str))
    return plain
