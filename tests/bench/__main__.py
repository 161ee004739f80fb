# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`python -m tests.bench [--rounds N] [--write]`: runs all benchmarks and prints the page of figures, or writes it to docs/performance.md."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform
import sys
import tempfile
from pathlib import Path

from tests.e2e.runs import CHECKOUT
from tests.lab import lab_unavailable
from tests.postgresql.server import Server, missing

from . import page, repair, rival, store, sweep
from .fleet import Fleet, fleet

_PAGE = CHECKOUT / "docs" / "performance.md"


def main() -> int:
    """0 when everything was measured, whether or not a goal is met; 2 when it cannot be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure what recovery costs, beside what people would use instead.")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds of each comparison (default: 5)")
    parser.add_argument("--write", action="store_true", help=f"write {_PAGE.relative_to(CHECKOUT)} instead of printing it")
    options = parser.parse_args()
    reason = lab_unavailable() or missing()
    if reason:
        print(f"bench: {reason}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as directory:
        text = page.render(_measured(Path(directory), options.rounds))
    if options.write:
        _PAGE.write_text(text)
    print(text)
    return 0


def _measured(directory: Path, rounds: int) -> page.Figures:
    _say("guard state")
    stores = {"embedded (SQLite)": store.measure(f"sqlite:///{directory / 'state.db'}", rounds)}
    with Server(settings={"fsync": "on", "full_page_writes": "on"}) as server:
        server.sql("CREATE DATABASE bench TEMPLATE template0")
        stores["PostgreSQL, over a unix socket"] = store.measure(server.url("bench"), rounds)
    with fleet(1, directory / "one") as one:
        _say("recovery")
        repaired = repair.measure(one, rounds)
        versions = _versions(one)
    with fleet(sweep.LARGE, directory / "many") as many:
        _say("sweep")
        swept = sweep.measure(many, rounds)
    return page.Figures(swept, repaired, stores, rounds, versions)


def _versions(found: Fleet) -> dict[str, str]:
    engine = found.lab.hosts[0].docker("version", "--format", "{{.Server.Version}}")
    core = importlib.metadata.version("ansible-core")
    return {"ansible-core": core, "Python": platform.python_version(), "community.docker": rival.version(), "Docker engine": engine}


def _say(what: str) -> None:
    print(f"bench: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
