# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which service, instance or environment a command is about, when its scope is named and when it is not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

from .._domain.errors import BadInput
from .._domain.scope import Scope

VARIABLE = "RECOVERY_DEFAULT_SCOPE"
NOBODY = Scope("default", "default")

_LISTED = 10


@dataclass(frozen=True)
class Known:
    """The services (``environment/service``) and environments that a state has heard of."""

    services: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()

    @classmethod
    def of(cls, scopes: Sequence[str]) -> Known:
        """What is known by the scopes of a store's documents."""
        services = tuple(sorted(scope for scope in scopes if "/" in scope))
        return cls(services, tuple(sorted({scope.partition("/")[0] for scope in scopes})))

    @property
    def listed(self) -> str:
        """The services for a message: as many as fit in one line."""
        more = len(self.services) - _LISTED
        return ", ".join(self.services[:_LISTED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True)
class Target:
    """What a command is about: a service or an instance (``scope``), or an environment alone (``scope`` is ``None``).

    ``named`` is false when nobody named it and the state knows no service: reads answer for ``default/default``, changes refuse.
    """

    environment: str
    scope: Scope | None = None
    named: bool = True

    def __str__(self) -> str:
        return str(self.scope) if self.scope else self.environment


def target(named: str | None, environ: Mapping[str, str], known: Known, environments: bool = False) -> Target:
    """The target that applies: ``named``, else ``RECOVERY_DEFAULT_SCOPE``, else the only service of the state.

    An environment alone may be ``named`` where ``environments`` says so; ``BadInput`` when nothing is named and there are several services.
    """
    if named is not None:
        return _environment(named) if environments and "/" not in named else _target(Scope.parse(named))
    default = environ.get(VARIABLE, "")
    if default:
        return _default(default)
    if not known.services:
        return Target(NOBODY.environment, NOBODY, named=False)
    if len(known.services) > 1:
        raise BadInput(
            f"expected the name of one service, since this state has {len(known.services)}: {known.listed}",
            f"Name one: --scope {known.services[0]}",
        )
    return _target(Scope.parse(known.services[0]))


def for_change(chosen: Target) -> Target:
    """``chosen``, when somebody named it or the state knows it: a change never goes to a service that nobody meant."""
    if chosen.named:
        return chosen
    raise BadInput("expected the name of a service, since nothing is recorded in this state yet", "Name it: --scope ENVIRONMENT/SERVICE")


def _target(scope: Scope) -> Target:
    return Target(scope.environment, scope)


def _environment(name: str) -> Target:
    return Target(Scope(name, NOBODY.service).environment)  # a name that can be in a scope


def _default(text: str) -> Target:
    try:
        return _target(Scope.parse(text))
    except BadInput as error:
        raise BadInput(f"{error.message} in {VARIABLE}", f"Correct {VARIABLE}, or name the scope: --scope ENVIRONMENT/SERVICE") from None
