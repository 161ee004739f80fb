# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Counts the modules that a run executes, retries included, on the control node and on hosts, and writes them to the file MODULE_CALLS."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: module_calls
type: notification
short_description: Counts module calls
description: Counts the modules that a run executes, on the control node and on hosts.
"""

_NO_MODULE = frozenset({"assert", "debug", "fail", "include_role", "include_tasks", "import_role", "meta", "set_fact", "set_stats"})


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core is not typed
    """One count per executed module."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "module_calls"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._counts = {"here": 0, "there": 0}

    def _count(self, result: Any, *_rest: Any, **_more: Any) -> None:
        action = str(result._task.action).rpartition(".")[2]
        if action not in _NO_MODULE:
            self._counts["here" if result._task.delegate_to else "there"] += 1

    v2_runner_on_ok = _count
    v2_runner_on_failed = _count
    v2_runner_on_unreachable = _count
    v2_runner_retry = _count

    def v2_playbook_on_stats(self, _stats: Any) -> None:
        """The end of the run."""
        with open(os.environ["MODULE_CALLS"], "w", encoding="utf-8") as stream:
            json.dump(self._counts, stream)
