# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Does a command succeed, on the host or in the container? An argument list; no shell ever sees it."""

from __future__ import annotations

from ..._domain.errors import BadInput
from ..._domain.verdict import FAILED, HEALTHY
from . import inside, outside
from .excerpt import ending
from .kind import Context, Kind, Option, Result, Unmeasured

_OUTPUT_LIMIT = 4096
_LONGEST_MESSAGE = 300


def measure(context: Context) -> Result:
    """Run it; exit status 0 is healthy."""
    argv, limit = context.options["argv"], 2 * _OUTPUT_LIMIT
    try:
        ran = inside.run(context, argv, limit) if context.options["in_container"] else outside.run(argv, context.deadline, limit)
    except inside.NOT_RUNNING as error:
        return Result(FAILED, error.message)
    if ran.status is None:
        return _overdue(context, argv[0], ran.left)
    return _judge(context, argv[0], ran.status, (ran.output.stdout + ran.output.stderr).decode("utf-8", "replace"))


def _overdue(context: Context, tool: str, left: str) -> Result:
    """The answer about a program that did not end; ``left`` says what became of it."""
    became = f": {left}" if left else ""
    if context.cut_short:
        raise Unmeasured(f"{tool}: the measurement's deadline came before it ended{became}")
    return Result(FAILED, f"{tool} did not end within {context.deadline.seconds:.1f} s{became}")


def _judge(context: Context, tool: str, status: int, output: str) -> Result:
    said = ending(output, context.mask, _LONGEST_MESSAGE)
    outcome = f"was ended by signal {abs(status)}" if status < 0 else f"ended with status {status}"
    return Result(FAILED if status else HEALTHY, f"{tool} {outcome}" + (f": {said}" if said and status else ""), {"exit_status": status})


def _check_argv(argv: list[str]) -> None:
    if not argv or not argv[0] or any("\0" in word for word in argv):
        raise BadInput("expected argv of a command probe to be a list: the program, then its arguments")


KIND = Kind(name="command", measure=measure, options={"argv": Option("list", required=True, elements="str", check=_check_argv), **inside.IN_CONTAINER})
