# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The one place where "the host cannot be asked" becomes a fact instead of a failed task.

A verdict of ``unknown``, or a step that was perhaps taken, has to reach the gate like any other result: an unreachable host that dropped out
of the play would be neither counted, nor settled, nor reported. Only arguments that cannot be meant fail the task.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Mapping

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.action import ActionBase

from ansible_collections.selfheal.recovery.plugins.module_utils._adapters.rung import Outcome
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.errors import BadInput, RecoveryError
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.masking import MASK, without_credentials
from ansible_collections.selfheal.recovery.plugins.module_utils._domain.outcomes import FAILED, UNREACHABLE
from ansible_collections.selfheal.recovery.plugins.plugin_utils._carrier import carry

TASK_TIMEOUT = "task_timeout"
MODULE_FAILED = "module_failed"

_LONGEST_DETAIL = 400
# What ssh says about itself with -v, and about keys it has just learnt.
_CHATTER = re.compile(r"^(debug\d:|OpenSSH_|Warning: Permanently added|Pseudo-terminal)")


@dataclass(frozen=True)
class Silence:
    """Why there is no result: ``unreachable``, ``task_timeout`` or ``module_failed``, and what is known about it."""

    reason: str
    detail: str


class FactsAction(ActionBase):  # type: ignore[misc]  # ansible-core is not typed
    """Runs a module of the collection on the host. A subclass names it and its function, checks its arguments, and says what silence means."""

    module: str
    function: str
    withheld: tuple[str, ...] = ()

    def spec(self) -> Mapping[str, Any]:
        """The module's argument specification."""
        raise NotImplementedError

    def check(self, params: Mapping[str, Any]) -> object:
        """Raise ``BadInput`` for arguments that cannot be meant, without asking any host."""
        raise NotImplementedError

    def silence(self, params: Mapping[str, Any], why: Silence) -> dict[str, Any]:
        """The module's result when there is none."""
        raise NotImplementedError

    def handed_through(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """What of the ``withheld`` arguments the result carries."""
        return {}

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The module's result, or the facts about why there is none."""
        params, secrets = self._params()
        try:
            super().run(tmp, task_vars)
            result = remove_values(self._asked(params, task_vars or {}), secrets)
            result.pop("invocation", None)  # the address of a probe may carry a password or a token
            why = _why_failed(result)
        except AnsibleActionFail:
            raise
        except AnsibleConnectionFailure as error:
            result, why = {}, Silence(UNREACHABLE, _text(str(error)))
        except BaseException as error:
            if not _is_task_timeout(error):
                raise
            result, why = {}, Silence(TASK_TIMEOUT, f"the task was ended by its timeout: {_text(str(error))}")
        if why is not None:
            detail = _hidden(why.detail, params)
            result = {**self.silence(params, Silence(why.reason, detail)), **_kept(result)}
        return {**result, **self.handed_through(params)} if not result.get("failed") else result

    def cleanup(self, force: bool = False) -> None:
        """Tidy up on the host; one that is gone by now is no reason to lose the result."""
        try:
            super().cleanup(force)
        except AnsibleConnectionFailure as error:
            self._display.v(f"Temporary files may be left on the host: {_text(str(error))}")

    def _asked(self, params: Mapping[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """What the host answers, in the light way where that is possible."""
        kept = dict.fromkeys(self.withheld)
        # A path means one on the host, whose home directory is another one.
        paths = {name: self._task.args.get(name) for name, option in self.spec().items() if option["type"] == "path"}
        carried = carry(self, task_vars, self.function, {**params, **kept, **paths})
        if carried is not None:
            return carried
        sent = {name: value for name, value in self._task.args.items() if name not in kept}
        result: dict[str, Any] = self._execute_module(module_name=self.module, module_args=sent, task_vars=task_vars)
        return result

    def _params(self) -> tuple[dict[str, Any], frozenset[str]]:
        """The arguments, and what of them must not be shown."""
        validation, params = self.validate_argument_spec(self.spec())
        try:
            self.check(params)
        except BadInput as error:
            raise _Refused(error) from error
        return dict(params), frozenset(validation._no_log_values)


class _Refused(AnsibleActionFail):  # type: ignore[misc]  # ansible-core is not typed
    """Arguments that cannot be meant, with the reason a module would give."""

    def __init__(self, error: RecoveryError) -> None:
        super().__init__(str(error), result={"reason": error.reason})


def _is_task_timeout(error: BaseException) -> bool:
    """``TaskTimeoutError`` is no ``Exception``, and lives in a private part of ansible-core: it is known by its name."""
    return any(kind.__name__ == "TaskTimeoutError" for kind in type(error).__mro__)


def _why_failed(result: Mapping[str, Any]) -> Silence | None:
    """Why a module's result is none; ``None`` for a result, and for a failure that is the caller's fault."""
    if result.get("unreachable"):
        return Silence(UNREACHABLE, _text(str(result.get("msg") or "no answer")))
    if not result.get("failed") or result.get("reason") == BadInput.reason:
        return None
    said = _last_line(str(result.get("module_stderr") or "")) or _last_line(str(result.get("module_stdout") or ""))
    return Silence(MODULE_FAILED, ": ".join(filter(None, [_text(str(result.get("msg") or "the module failed")), said])))


def _kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """Warnings of a failed module are worth keeping; the rest would make a failure of it again."""
    return {key: result[key] for key in ("warnings", "deprecations") if key in result}


def _text(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    said = " ".join(line for line in lines if line and not _CHATTER.match(line))
    return without_credentials(said)[:_LONGEST_DETAIL]


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return _text(lines[-1]) if lines else ""


def _hidden(text: str, params: Mapping[str, Any]) -> str:
    """``text`` without the values of secret headers, should a traceback have shown one."""
    for probe in params.get("probes") or ():
        for value in (probe.get("secret_headers") or {}).values():
            text = text.replace(str(value), MASK)
    return text


def silent_step(rung: str, params: Mapping[str, Any], why: Silence, mutated: bool) -> dict[str, Any]:
    """The result of a rung whose host did not tell what came of it: whatever it was to do may have been done, unless nothing was to be done."""
    draft = Outcome(UNREACHABLE if why.reason == UNREACHABLE else FAILED, why.reason, why.detail, mutated=mutated).to_json()
    facts = {key: value for key, value in draft.items() if key not in ("before", "after")}
    return {"changed": mutated, "scope": params["scope"], "rung": rung, "step": params["fence"]["step"], **facts}
