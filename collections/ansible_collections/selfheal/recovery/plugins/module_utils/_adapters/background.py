# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Work that may hang for ever, kept where it cannot hold anybody: in a daemon thread."""

from __future__ import annotations

import threading
import time
from typing import Callable, Generic, TypeVar

T = TypeVar("T")


class Background(Generic[T]):
    """``function`` running in a daemon thread, started at once. The interpreter does not wait for it when it exits."""

    def __init__(self, function: Callable[[], T], name: str = "") -> None:
        self._function = function
        self._answers: list[T] = []
        self._errors: list[BaseException] = []
        self._done = threading.Event()
        self._began = time.monotonic()
        self._ended: float | None = None
        threading.Thread(target=self._run, name=name or None, daemon=True).start()

    def _run(self) -> None:
        try:
            self._answers.append(self._function())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that asks for the result
            self._errors.append(error)
        finally:
            self._ended = time.monotonic()
            self._done.set()

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    def done(self, seconds: float) -> bool:
        """Wait up to ``seconds``; has it ended?"""
        return self._done.wait(max(0.0, seconds))

    def result(self, seconds: float) -> T:
        """Its answer, or what it raised; ``TimeoutError`` when it has not ended within ``seconds``."""
        if not self.done(seconds):
            raise TimeoutError(f"no answer within {seconds:.1f} s")
        if self._errors:
            raise self._errors[0]
        return self._answers[0]
