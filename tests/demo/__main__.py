# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make demo`. Exit status 0 when everything it claims was checked, 1 when something did not hold, 2 when it cannot be shown here."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from tests.lab import LabError

from . import engine
from .errors import DemoError, Unavailable
from .place import CHECKOUT, REPORTS, clear_reports, one_at_a_time, workspace
from .shell import say
from .stage import staged
from .story import Story

_FAILED = 1
_UNAVAILABLE = 2
_ENDINGS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def main(arguments: list[str]) -> int:
    """Tell the story, beside whatever engine there is."""
    for number in _ENDINGS:
        signal.signal(number, _stop)
    try:
        if arguments == [engine.INSIDE]:
            return _inside()
        with one_at_a_time():
            return _outside()
    except Unavailable as error:
        return _sorry(error, _UNAVAILABLE)
    except (DemoError, LabError, OSError, subprocess.SubprocessError) as error:
        return _sorry(error, _FAILED)


def _outside() -> int:
    found = engine.find()
    engine.provide(own=found is None)
    clear_reports()
    if found is None:
        say("demo: no Docker engine answers here, so the demo starts one of its own, sealed off, and stops it again")
        return engine.run_inside()
    say(f"demo: on the Docker engine at {found.url}; what the demo makes there is removed again")
    with workspace(Path(tempfile.gettempdir()).resolve()) as directory:
        return _show(found, directory)


def _inside() -> int:
    engine.furnish()
    with workspace(engine.RUN) as directory, engine.own(directory / "engine") as ours:
        return _show(ours, directory)


def _show(found: engine.Engine, directory: Path) -> int:
    began = time.monotonic()
    with staged(found, directory) as stage:
        Story(stage, directory).tell()
    say(f"\ndemo: done in {time.monotonic() - began:.0f} s, and every claim above was checked")
    say(f"demo: the reports, and the evidence they name, are in {REPORTS.relative_to(CHECKOUT)} until the next demo")
    return 0


def _sorry(why: object, status: int) -> int:
    print(f"demo: {why}", file=sys.stderr)
    return status


def _stop(number: int, _frame: FrameType | None) -> None:
    """Clear up on the way out, undisturbed: who presses a key twice, or ends a whole group of processes, says the same more than once."""
    for each in _ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
