# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: INP001 - module_utils itself is Ansible's namespace, and has no __init__.py
"""The end of every module: the one place where an exception becomes a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Mapping

from ._domain.errors import RecoveryError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Spec = dict[str, dict[str, Any]]


def finish(module: AnsibleModule, function: Callable[[], Mapping[str, Any]]) -> None:
    """End the module with what ``function`` returns; an expected failure ends it with ``msg`` and ``reason``."""
    try:
        result = function()
    except RecoveryError as error:
        module.fail_json(msg=str(error), reason=error.reason)
    else:
        module.exit_json(**result)
