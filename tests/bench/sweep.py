# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""(a) A sweep over a healthy fleet, beside the same checks by `community.docker` and `uri`; what one more instance costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.runs import CHECKOUT

from .cost import Cost, playbook, typical
from .figures import median
from .fleet import Fleet

SMALL, LARGE = 5, 25
_THEIRS = Path(__file__).parent / "playbooks" / "sweep.yml"


@dataclass(frozen=True)
class Marginal:
    """What one more instance costs, and the whole run over all of them."""

    cpu_here: float
    cpu_there: float
    modules: float
    started: float
    whole: Cost

    @property
    def cpu(self) -> float:
        return self.cpu_here + self.cpu_there


@dataclass(frozen=True)
class Sweep:
    """Medians over all rounds."""

    ours: Marginal
    theirs: Marginal
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Our CPU for one more instance by theirs: the median of the rounds' own ratios."""
        return median(self.ratios)


def measure(fleet: Fleet, rounds: int) -> Sweep:
    """Each round runs all four, ours and theirs over few and over many, back and forth."""
    sides: dict[str, Callable[[int], Cost]] = {"ours": lambda size: _ours(fleet, size), "theirs": lambda size: _theirs(fleet, size)}
    for run in sides.values():
        run(SMALL)  # caches of the hosts and of this machine
    found: dict[str, list[Marginal]] = {"ours": [], "theirs": []}
    for number in range(rounds):
        for side in sorted(sides, reverse=bool(number % 2)):
            found[side].append(_marginal(sides[side](SMALL), sides[side](LARGE)))
    ratios = tuple(ours.cpu / theirs.cpu for ours, theirs in zip(found["ours"], found["theirs"], strict=True))
    return Sweep(_typical(found["ours"]), _typical(found["theirs"]), ratios)


def _ours(fleet: Fleet, size: int) -> Cost:
    env = {"RECOVERY_STATE": f"sqlite:///{fleet.directory}/sweep{size}/state.db", "RECOVERY_REPORTS": str(fleet.directory / "reports")}
    return playbook(fleet.lab, fleet.directory, CHECKOUT / "playbooks" / "monitor.yml", fleet.inventory(size), **env).cost


def _theirs(fleet: Fleet, size: int) -> Cost:
    return playbook(fleet.lab, fleet.directory, _THEIRS, fleet.inventory(size)).cost


def _marginal(few: Cost, many: Cost) -> Marginal:
    more = LARGE - SMALL
    return Marginal(
        (many.cpu_here - few.cpu_here) / more,
        (many.cpu_there - few.cpu_there) / more,
        (many.modules_there - few.modules_there) / more,
        (many.started_here - few.started_here + many.started_there - few.started_there) / more,
        many,
    )


def _typical(found: list[Marginal]) -> Marginal:
    def middle(name: str) -> float:
        return median(getattr(each, name) for each in found)

    return Marginal(middle("cpu_here"), middle("cpu_there"), middle("modules"), middle("started"), typical(each.whole for each in found))
