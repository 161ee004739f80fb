# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# ruff: noqa: INP001 - module_utils itself is Ansible's namespace, and has no __init__.py
"""The host's side of ``plugin_utils/_carrier.py``: one request on standard input, one result on standard output."""

from __future__ import annotations

import importlib
import json
import sys
from typing import IO, Any

from ._domain.errors import RecoveryError

MARK = "selfheal.recovery result: "


def main(source: IO[bytes]) -> None:
    """Answer the request ``{function, params, check_mode, diff}``; ``function`` is ``module.name`` beside this file.

    An expected failure is a result too. Anything else ends the process, and its last words are what is known.
    """
    request = json.loads(source.read())
    sys.stdout.write(f"\n{MARK}{json.dumps(_result(request))}\n")
    sys.stdout.flush()


def _result(request: dict[str, Any]) -> dict[str, Any]:
    module, _dot, name = request["function"].partition(".")
    function = getattr(importlib.import_module(f"{__package__}.{module}"), name)
    try:
        result: dict[str, Any] = function(request["params"], request["check_mode"], request["diff"])
    except RecoveryError as error:
        return {"failed": True, "msg": str(error), "reason": error.reason}
    return result
