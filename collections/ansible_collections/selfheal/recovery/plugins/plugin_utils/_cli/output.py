# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where answers go: standard output as text, table or JSON, hints to standard error, exports to a file."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import Any, Iterable, Sequence

from ...module_utils._domain.errors import RecoveryError
from .words import harmless

_WHOLE = 2  # columns at the left that are never broken: times, scopes and names are there to be copied


class CannotExport(RecoveryError):
    """The file of ``--export`` could not be written."""

    reason = "export_failed"


def say(*lines: str) -> None:
    """Print lines of an answer. What came from elsewhere in them is harmless already."""
    for line in lines:
        print(line)


def say_json(answer: Any) -> None:
    """Print an answer that parses as it stands, in any locale."""
    print(_json(answer))


def hint(message: str) -> None:
    """Tell a person something beside the answer."""
    print(f"selfheal: {harmless(message, 1000)}", file=sys.stderr)


def export(path: str, answer: Any) -> None:
    """Write an answer to a file as JSON: the whole of it or nothing; raises ``CannotExport``."""
    try:
        _write(os.path.realpath(path), _json(answer) + "\n")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise CannotExport(f"expected to write {path!r}, found: {why}", "Name a file in a directory that exists and that you may write") from None
    hint(f"written to {path}")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table: plain columns, the same ones always; on a terminal drawn by rich, without those in which nothing stands."""
    cells = [[harmless("" if cell is None else cell) for cell in row] for row in rows]
    if not (sys.stdout.isatty() and _drawn(columns, cells)):
        _plain(columns, cells)


def _json(answer: Any) -> str:
    import json

    return json.dumps(answer, indent=2)


def _write(path: str, text: str) -> None:
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(os.stat(path).st_mode):  # a device or a pipe is written to, never replaced; a directory refuses
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
            return
    directory, name = os.path.split(path)
    unfinished = os.path.join(directory, f".{name[:100]}.{os.urandom(4).hex()}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(unfinished, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(unfinished)
        raise


def _drawn(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:  # the collection without its wheel
        return False
    drawing = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    filled = [position for position in range(len(columns)) if any(row[position] for row in rows)]
    for position in filled:
        drawing.add_column(columns[position], overflow="fold", no_wrap=position < _WHOLE)
    for row in rows:
        drawing.add_row(*(Text(row[position]) for position in filled))
    Console(markup=False, highlight=False, emoji=False).print(drawing)
    return True


def _plain(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in (columns, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
