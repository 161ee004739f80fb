# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The arithmetic of the benchmarks, and their page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.e2e.runs import CHECKOUT

from . import page, repair, store, sweep
from .cost import Cost, typical

FEW = Cost(wall=2, cpu_here=1, cpu_there=2, started_here=10, started_there=20, modules_there=5)
MANY = Cost(wall=9, cpu_here=5, cpu_there=12, started_here=30, started_there=60, modules_there=25)


def figures(sweep_ratios: tuple[float, ...] = (0.4, 0.3, 0.6), repair_ratios: tuple[float, ...] = (1.2, 0.9, 1.3)) -> page.Figures:
    marginal = sweep._marginal(FEW, MANY)
    costs = dict.fromkeys(repair.SIDES, FEW)
    return page.Figures(
        sweep.Sweep(marginal, marginal, sweep_ratios),
        repair.Repair(costs, dict.fromkeys(repair.SIDES, 1.5), repair_ratios, 2.0),
        {"embedded (SQLite)": store.Rates({1: 2000.4, 20: 999.6})},
        rounds=3,
        versions={"ansible-core": "2.19.0"},
    )


def test_marginal_cost_is_the_difference_by_the_instances_more() -> None:
    marginal = sweep._marginal(FEW, MANY)
    assert (marginal.cpu_here, marginal.cpu_there, marginal.cpu) == (0.2, 0.5, 0.7)
    assert (marginal.modules, marginal.started) == (1, 3)


def test_typical_marginal_is_made_of_medians() -> None:
    found = [replace(sweep._marginal(FEW, MANY), cpu_here=cpu) for cpu in (0.1, 0.9, 0.2)]
    assert sweep._typical(found).cpu_here == 0.2


def test_typical_cost_is_made_of_medians_too() -> None:
    runs = [replace(FEW, wall=1, cpu_here=9), replace(FEW, wall=2, cpu_here=1), replace(FEW, wall=3, cpu_here=4)]
    assert typical(runs) == replace(FEW, wall=2, cpu_here=4)


def test_page_says_whether_each_goal_is_met_by_the_median_of_the_rounds() -> None:
    text = page.render(figures())
    assert "| 0.40 (0.30 to 0.60) | at most 0.5 | met |" in text
    assert "| 1.20 (0.90 to 1.30) | at most 1 | missed |" in text
    assert "| embedded (SQLite) | 2,000 | 1,000 |" in text


@pytest.mark.parametrize("part", ["# Performance", "## A healthy sweep", "## A guarded recovery", "## The guard state", "## How it is measured"])
def test_page_in_the_repository_is_one_of_these(part: str) -> None:
    assert part in page.render(figures())
    assert part in (CHECKOUT / "docs" / "performance.md").read_text()
