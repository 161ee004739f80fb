# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible's way of carrying a module to a host, made lighter.

Ansible packs half a megabyte of its own library with every module, and the host compiles it anew for each call: that takes several times what
a measurement takes. Our code needs none of it there. So it travels alone, in the same way (a zip on standard input, over the same connection,
as the same user), wherever Ansible would have used that way itself. Anywhere else the module runs as any other.
"""

from __future__ import annotations

import io
import json
import shlex
import zipfile
from pathlib import Path, PurePath
from typing import Any, Mapping

from ansible import constants
from ansible.plugins.action import ActionBase

from ansible_collections.selfheal.recovery.plugins.module_utils import _carried

_PACKAGE = PurePath("ansible_collections/selfheal/recovery/plugins/module_utils")

# Results with these make Ansible do something; a host must not.
_ANSIBLES_OWN = frozenset({"add_host", "add_group", "ansible_facts"})

# The zip is a file in memory, so that a host whose disk is full can still be measured, and nothing of it is left behind.
_BOOT = """
import os, sys
if sys.version_info < (3, 9):
    sys.exit("expected Python 3.9 or newer on this host, found " + sys.version.split()[0])
source = sys.stdin.buffer
carried = os.memfd_create("selfheal")
with open(carried, "wb", closefd=False) as stream:
    stream.write(source.read(int(source.readline())))
sys.path.insert(0, "/proc/%d/fd/%d" % (os.getpid(), carried))
from ansible_collections.selfheal.recovery.plugins.module_utils._carried import main
main(source)
"""


def interpreter(action: ActionBase, task_vars: Mapping[str, Any]) -> str:
    """The Python that the host's variables name for it; empty when they name none."""
    delegated = task_vars.get("ansible_delegated_vars", {}).get(action._task.delegate_to) if action._task.delegate_to else None
    found = (task_vars if delegated is None else delegated).get("ansible_python_interpreter")
    return str(action._templar.template(found)) if found else ""


def carry(action: ActionBase, task_vars: Mapping[str, Any], function: str, params: Mapping[str, Any]) -> dict[str, Any] | None:
    """What ``function`` makes of ``params`` on the host; ``None`` where Ansible would not send a module over an open connection."""
    python = (interpreter(action, task_vars) or str(constants.config.get_config_value("INTERPRETER_PYTHON"))).strip()
    if not python.startswith("/") or action._connection._shell.SHELL_FAMILY != "sh" or not action._is_pipelining_enabled("new"):
        return None
    request = {"function": function, "params": params, "check_mode": bool(action._task.check_mode), "diff": bool(action._task.diff)}
    words = shlex.join([python, "-I", "-S", "-B", "-c", f"exec({_BOOT!r})"])  # one line, for login shells that want it so
    data = b"%d\n%s%s" % (len(PAYLOAD), PAYLOAD, json.dumps(request, default=str).encode())
    done = action._low_level_execute_command(f"{action._compute_environment_string()} {words}".strip(), sudoable=True, in_data=data)
    result = _result(done["stdout"])
    if result is not None:
        return result
    said = {"module_stdout": done["stdout"], "module_stderr": done["stderr"], "rc": done["rc"]}
    return {"failed": True, "msg": f"{python} ended with status {done['rc']} and without a result", **said}


def _result(stdout: str) -> dict[str, Any] | None:
    """The module's result among all that was said; ``None`` when there is none, or only a part of it."""
    said = [line[len(_carried.MARK) :] for line in stdout.splitlines() if line.startswith(_carried.MARK)]
    try:
        result = json.loads(said[-1]) if said else None
    except ValueError:
        return None
    if not isinstance(result, dict):
        return None
    return {key: value for key, value in result.items() if key not in _ANSIBLES_OWN and not key.startswith("_ansible_")}


def _packed() -> bytes:
    """All that modules of this collection share, as a zip of sources."""
    root = Path(str(_carried.__file__)).parent
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in [_PACKAGE, *_PACKAGE.parents][:-1]:
            archive.writestr(str(package / "__init__.py"), b"")  # a zip knows no packages without
        for path in sorted(root.rglob("*.py")):
            archive.writestr(str(_PACKAGE / path.relative_to(root)), path.read_bytes())
    return data.getvalue()


# Made when Ansible loads the action plugin, once for all the worker processes that it forks afterwards.
PAYLOAD = _packed()
