# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The `selfheal` command: a person's door to the guard state and the probes.

Exit codes: 0 done, 1 the answer is no, 2 it could not be done (one line on stderr says why and what to do), 130 interrupted, 141 nobody read
the answer. What is needed for one command is imported by that command, so that `--help` is there at once.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Sequence

from .exits import FAILED, INTERRUPTED, UNREAD

if TYPE_CHECKING:
    from argparse import Namespace

DEBUG = "SELFHEAL_DEBUG"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the answer is its exit code. Nothing it meets becomes a traceback, unless ``SELFHEAL_DEBUG`` is set."""
    try:
        return _main(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_output()
        return UNREAD
    except Exception as error:  # the outermost door: what is no RecoveryError is a defect, and still only one line
        if os.environ.get(DEBUG):
            raise
        _say(_told(error))
        return FAILED


def _main(argv: list[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a character still gets the answer
    from .arguments import parse

    try:
        arguments = parse(argv)
    except SystemExit as leave:  # argparse has said what it had to say
        _flush()
        return leave.code if isinstance(leave.code, int) else FAILED
    code = _run(arguments)
    _flush()
    return code


def _run(arguments: Namespace) -> int:
    if arguments.area == "breaker":
        from .breaker import run
    elif arguments.area == "health":
        from .health import run
    else:
        from .state import run
    return run(arguments)


def _told(error: Exception) -> str:
    from ...module_utils._domain.errors import RecoveryError

    if isinstance(error, RecoveryError):
        return str(error)
    if isinstance(error, OSError):
        _forget_output()
        where = f" ({error.filename})" if error.filename else ""
        return f"could not go on: {(error.strerror or type(error).__name__).lower()}{where}"
    return f"internal error: {type(error).__name__}: {error}. This is a defect: please report it with what {DEBUG}=1 shows"


def _say(message: str) -> None:
    from .words import harmless

    with suppress(OSError, ValueError):
        print(f"selfheal: {harmless(message, 4000)}", file=sys.stderr)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _forget_output() -> None:
    """Let nothing be written to standard output when Python ends: it would fail again, noisily."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
