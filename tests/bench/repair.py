# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""(b) One sick instance over SSH: our guarded recovery, the unguarded playbook that a user would write, and the engine's bare API on the host."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.runs import CHECKOUT, environment

from .cost import Cost, RunFailed, command, playbook, typical
from .figures import median
from .fleet import PORT, URL, Fleet

WINDOW = 2.0
_HERE = Path(__file__).parent
_THEIRS = _HERE / "playbooks" / "restart.yml"
_RAW = _HERE / "raw_restart.py"
SIDES = ("ours", "patient", "theirs", "raw")
# As they are when nobody says otherwise: a failure is asked about again.
_PATIENT = [{"kind": "docker"}, {"kind": "container"}, {"kind": "http", "url": URL}]


@dataclass(frozen=True)
class Repair:
    """Medians over all rounds; walls without the stable window, which only ours waits for."""

    costs: dict[str, Cost]
    walls: dict[str, float]
    ratios: tuple[float, ...]
    window: float

    @property
    def ratio(self) -> float:
        """Our wall by theirs: the median of the rounds' own ratios."""
        return median(self.ratios)


def measure(fleet: Fleet, rounds: int) -> Repair:
    """Each round repairs the same fault by each side, in turning order."""
    sides: dict[str, Callable[[Fleet], tuple[Cost, float]]] = {
        "ours": _ours,
        "patient": lambda found: _ours(found, recovery_probes=_PATIENT),
        "theirs": _theirs,
        "raw": _raw,
    }
    found: dict[str, list[tuple[Cost, float]]] = {name: [] for name in SIDES}
    for number in range(-1, rounds):  # the first one warms caches up
        order = SIDES[number % len(SIDES) :] + SIDES[: number % len(SIDES)]
        for side in order:
            fleet.instances[0].break_until_restart()
            cost, window = sides[side](fleet)
            if number >= 0:
                found[side].append((cost, window))
            if fleet.instances[0].status() != 200:
                raise RunFailed(f"{side}: the service is still sick after its repair")
    walls = {side: [cost.wall - window for cost, window in runs] for side, runs in found.items()}
    ratios = tuple(ours / theirs for ours, theirs in zip(walls["ours"], walls["theirs"], strict=True))
    costs = {side: typical(cost for cost, _window in runs) for side, runs in found.items()}
    return Repair(costs, {side: median(values) for side, values in walls.items()}, ratios, median(window for _cost, window in found["ours"]))


def _ours(fleet: Fleet, **variables: Any) -> tuple[Cost, float]:
    """With what it waited for the service to stay well; it has waited that long at least."""
    fleet.forget()
    place = fleet.directory / f"repair{len(list(fleet.directory.glob('repair*')))}"
    env = {"RECOVERY_STATE": f"sqlite:///{place}/state.db", "RECOVERY_REPORTS": str(place / "reports")}
    inventory = fleet.inventory(1, recovery_stable_window=WINDOW, recovery_verify_timeout=20, **variables)
    cost = playbook(fleet.lab, fleet.directory, CHECKOUT / "recover.yml", inventory, **env).cost
    (result,) = (place / "reports").glob("*/result.json")
    told = json.loads(result.read_text())["instances"][fleet.instances[0].name]
    if told["outcome"] != "recovered" or told["waited_s"] < WINDOW:
        raise RunFailed(f"expected a verified recovery, found {told}")
    return cost, WINDOW


def _theirs(fleet: Fleet) -> tuple[Cost, float]:
    return playbook(fleet.lab, fleet.directory, _THEIRS, fleet.inventory(1)).cost, 0.0


def _raw(fleet: Fleet) -> tuple[Cost, float]:
    """Over SSH as well, with nothing but the engine's socket and the service's port."""
    host = fleet.instances[0].host
    host.write("/root/raw_restart.py", _RAW.read_text())
    line = fleet.lab.ssh(host, "/usr/bin/python3", "/root/raw_restart.py", fleet.instances[0].container, str(PORT))
    return command(fleet.lab, fleet.directory, line, environment()).cost, 0.0
