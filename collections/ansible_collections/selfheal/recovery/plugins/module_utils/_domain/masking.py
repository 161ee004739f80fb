# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Taking secrets out of text before it is kept or shown."""

from __future__ import annotations

import json
import re
from typing import Any, Iterable

MASK = "********"
SHORTEST_SECRET = 6
_USER_INFO = re.compile(r"(?<=://)[^/\s@?#]+@")


def without_credentials(text: str) -> str:
    """``text`` with the user and password of every URL in it taken out."""
    return _USER_INFO.sub("", text)


class Masker:
    """Masks the values of a container's environment wherever they turn up.

    Values shorter than 6 characters are left (they would tear ordinary words apart). A value of several lines is masked line by line too,
    and in the form in which JSON writes it, because that is how logs carry them.
    """

    def __init__(self, environment: Iterable[str]) -> None:
        forms: set[str] = set()
        for entry in environment:
            value = entry.partition("=")[2]
            forms.update([value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], *map(str.strip, value.splitlines())])
        self._longest_first = sorted((form for form in forms if len(form) >= SHORTEST_SECRET), key=len, reverse=True)

    def text(self, text: str) -> str:
        """``text`` without the values and without credentials in URLs."""
        # A pattern of thousands of values, as some environments hold, would take seconds for a long text, and hold up all other threads.
        present = [form for form in self._longest_first if form in text]
        return without_credentials(re.sub("|".join(map(re.escape, present)), MASK, text) if present else text)

    def data(self, data: Any) -> Any:
        """Plain data with every text in it masked, keys included."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, dict):
            return {self.text(str(key)): self.data(value) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return [self.data(value) for value in data]
        return data


def names_only(environment: Iterable[str]) -> list[str]:
    """The names of ``NAME=value`` entries."""
    return [entry.partition("=")[0] for entry in environment]
