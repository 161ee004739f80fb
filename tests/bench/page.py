# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of figures, docs/performance.md. Ratios come first: they were taken in one run, back and forth, and hold on other machines."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from . import repair, store, sweep
from .figures import median, spread

COMMAND = "make bench"
SWEEP_GOAL = 0.5
REPAIR_GOAL = 1.0


@dataclass(frozen=True)
class Figures:
    """All of one run; ``stores`` by kind, ``versions`` by name."""

    sweep: sweep.Sweep
    repair: repair.Repair
    stores: dict[str, store.Rates]
    rounds: int
    versions: dict[str, str]


def render(found: Figures) -> str:
    """The whole page, as Markdown."""
    return "\n\n".join([_head(found), _sweep(found), _repair(found), _stores(found), _METHOD]) + "\n"


def _head(found: Figures) -> str:
    goals = [
        _goal("healthy sweep: CPU for one more instance, ours by theirs", found.sweep.ratios, SWEEP_GOAL),
        _goal("guarded recovery without its stable window, probes ask once: wall, ours by theirs", found.repair.ratios, REPAIR_GOAL),
    ]
    versions = ", ".join(f"{name} {version}" for name, version in found.versions.items())
    return f"""# Performance

Written by `{COMMAND}`: medians of {found.rounds} rounds on {os.cpu_count()} cores, {platform.system()} {platform.machine()}; {versions}.
Seconds are this machine's; ratios depend on it less.

{_table(("", "ratio", "goal", ""), goals)}"""


def _sweep(found: Figures) -> str:
    ours, theirs = found.sweep.ours, found.sweep.theirs
    rows = [
        ("CPU, both ends", f"{ours.cpu:.3f} s", f"{theirs.cpu:.3f} s"),
        ("CPU, control node", f"{ours.cpu_here:.3f} s", f"{theirs.cpu_here:.3f} s"),
        ("CPU, host", f"{ours.cpu_there:.3f} s", f"{theirs.cpu_there:.3f} s"),
        ("module calls on the host", f"{ours.modules:.0f}", f"{theirs.modules:.0f}"),
        ("processes and threads started, both ends", f"{ours.started:.0f}", f"{theirs.started:.0f}"),
        (f"wall for all {sweep.LARGE}", f"{ours.whole.wall:.1f} s", f"{theirs.whole.wall:.1f} s"),
    ]
    return f"""## A healthy sweep

`playbooks/monitor.yml` (measure, decide, remember, report) beside `tests/bench/playbooks/sweep.yml` (the same questions with
`community.docker.docker_container_info` and `ansible.builtin.uri`). One host for each instance, cold
connections, 20 forks; what one more instance costs between {sweep.SMALL} and {sweep.LARGE}:

{_table(("for one more instance", "selfheal.recovery", "community.docker + uri"), rows)}"""


def _repair(found: Figures) -> str:
    costs, walls = found.repair.costs, found.repair.walls
    names = {
        "ours": "guarded recovery, probes ask once",
        "patient": "guarded recovery, default probes",
        "theirs": "six-task playbook",
        "raw": "engine's API over SSH",
    }
    rows = [
        ("wall without the stable window", *(f"{walls[side]:.2f} s" for side in names)),
        ("CPU, control node", *(f"{costs[side].cpu_here:.2f} s" for side in names)),
        ("CPU, host, without the engine's own", *(f"{costs[side].cpu_there:.2f} s" for side in names)),
        ("gate and report, inside Ansible on the control node", *(f"{costs[side].modules_here:.0f}" for side in names)),
        ("module calls, host", *(f"{costs[side].modules_there:.0f}" for side in names)),
        ("processes and threads started, control node", *(f"{costs[side].started_here:.0f}" for side in names)),
        ("the same, host with its engine", *(f"{costs[side].started_there:.0f}" for side in names)),
    ]
    return f"""## A guarded recovery

One instance that answers 500 until it is restarted. Ours probes, admits, saves evidence, restarts, verifies for a stable window
({found.repair.window:g} s here, subtracted), settles and reports. `tests/bench/playbooks/restart.yml` is what a user
would write: no guard, no evidence, no count, no report, and it restarts without having asked the service.
The last is a script on the host that does nothing but inspect, ask, restart and ask again.

The playbook asks once, so the goal is measured with probes that ask once (`attempts: 1`). By default an HTTP probe believes a failure only after
three attempts, a second apart, which is the second column.

{_table(("", *names.values()), rows)}"""


def _stores(found: Figures) -> str:
    rows = [(kind, *(f"{rates.rates[writers]:,.0f}" for writers in store.WRITERS)) for kind, rates in found.stores.items()]
    return f"""## The guard state

Durable writes in a second, all to one document, an event with each: the worst case. A recovery makes two, a sweep one.

{_table(("store", *(f"{writers} writer{'s' if writers > 1 else ''}" for writers in store.WRITERS)), rows)}"""


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, tuple("---" for _column in columns), *rows])


def _goal(what: str, ratios: tuple[float, ...], goal: float) -> tuple[str, ...]:
    found = median(ratios)
    return what, f"{found:.2f} ({spread(ratios)})", f"at most {goal:g}", "met" if found <= goal else "missed"


_METHOD = """## How it is measured

- CPU of the control node is that of `ansible-playbook` and everything it starts, its SSH clients included; CPU of a host is that of its SSH
  sessions, without that of its engine and its service.
- Both sides use this project's `ansible.cfg` (pipelining, no facts), and neither finds an open connection.
- Without pipelining, or without a named interpreter (`ansible_python_interpreter` or `interpreter_python`), our modules travel as all
  others do, with all that this costs.
- Processes and threads are counted by the numbers that a process namespace has given out.
- A round of a sweep or a recovery runs all sides one after the other, in changing order, and gives one ratio; the ratio above is the median of the rounds,
  with the least and the greatest. Every other figure is a median by itself.
- The test `tests/e2e/test_cost.py` holds the counts of module calls, so that they do not grow unseen."""
