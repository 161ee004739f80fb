# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Scopes: the keys of guard state."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BadInput

_LONGEST_PART = 200


@dataclass(frozen=True)
class Scope:
    """``<environment>/<service>`` for a service, ``<environment>/<service>/<instance>`` for an instance.

    Parts may hold any printable text but ``/``: they are names that people chose, kept as they are, never used as a path or a command.
    """

    environment: str
    service: str
    instance: str = ""

    def __post_init__(self) -> None:
        for word, part in (("environment", self.environment), ("service", self.service)):
            _check(word, part)
        if self.instance:
            _check("instance", self.instance)

    @classmethod
    def parse(cls, text: str) -> Scope:
        """The scope of ``environment/service`` or ``environment/service/instance``; raises ``BadInput`` otherwise."""
        parts = text.split("/")
        if len(parts) not in (2, 3) or not all(parts):
            raise BadInput(f"expected a scope like production/web or production/web/web1, found {text!r}")
        return cls(*parts)

    @property
    def service_key(self) -> str:
        """Key of the service's document."""
        return f"{self.environment}/{self.service}"

    def of(self, instance: str) -> Scope:
        """The scope of one instance of the same service."""
        return Scope(self.environment, self.service, instance)

    def __str__(self) -> str:
        return f"{self.service_key}/{self.instance}" if self.instance else self.service_key


def _check(word: str, part: object) -> None:
    if not isinstance(part, str) or not part or len(part) > _LONGEST_PART or "/" in part or not part.isprintable():
        raise BadInput(f"expected the name of the {word}: 1 to {_LONGEST_PART} printable characters without '/', found {part!r:.80}")
