# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reports on disk: a directory per run, the newest ones kept."""

from __future__ import annotations

import json
import secrets
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping

from .._domain.errors import BadInput, RecoveryError
from .._domain.report import lines, markdown, summarize
from .._domain.times import to_text
from .files import write_whole
from .stores import default_url

_RUNS = ("recovery-*", "run-*")


class ReportFailed(RecoveryError):
    """The report could not be written. What it reports has happened all the same."""

    reason = "report_failed"


def default_directory(environ: Mapping[str, str]) -> str:
    """``reports`` beside the embedded state store."""
    return str(Path(default_url(environ).split("///", 1)[1]).parent / "reports")


def write(directory: str, kept: int, told: Mapping[str, Any], environ: Mapping[str, str], dry_run: bool) -> dict[str, Any]:
    """Write the report of a run and return it in short; ``dry_run`` writes nothing. Raises ``ReportFailed`` and ``BadInput``."""
    if kept < 1:
        raise BadInput(f"expected how many reports to keep: 1 or more, found {kept}")
    now = datetime.now(timezone.utc)
    summary = summarize(_run_id(told["decision"], now), to_text(now), told["inputs"], told["begun"], told["decision"], told["probes"], told["steps"])
    path = Path(directory) / summary["run_id"]
    if not dry_run:
        try:
            Path(directory).mkdir(mode=0o700, parents=True, exist_ok=True)
            path.mkdir(mode=0o700)
            write_whole(path / "result.json", json.dumps(summary, indent=2, ensure_ascii=False).encode())
            write_whole(path / "report.md", markdown(summary).encode())
            _append_step_summary(summary, environ)
            _trim(Path(directory), kept)
        except OSError as error:
            raise ReportFailed(f"expected to write the report to {directory}, found: {error.strerror}", "Name another directory: report_dir") from None
    shown = lines(summary)
    return {
        "changed": not dry_run,
        "path": "" if dry_run else str(path),
        "lines": shown if dry_run else [*shown, f"report: {path / 'report.md'}"],
        "headline": summary["headline"],
        "needs_person": summary["needs_person"] and not dry_run,
        "summary": {
            "run_id": summary["run_id"],
            "outcomes": summary["outcomes"],
            "instances": {name: {"outcome": each["outcome"], "reason": each["reason"]} for name, each in summary["instances"].items()},
            "report": "" if dry_run else str(path),
        },
    }


def _run_id(decision: Mapping[str, Any], now: datetime) -> str:
    sessions = sorted(decision.get("sessions", {}).values())
    return sessions[0] if sessions else f"run-{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def _append_step_summary(summary: Mapping[str, Any], environ: Mapping[str, str]) -> None:
    name = environ.get("GITHUB_STEP_SUMMARY")
    if name:
        with open(name, "a", encoding="utf-8") as page:
            page.write(markdown(summary))


def _trim(directory: Path, kept: int) -> None:
    """Remove the oldest runs beyond ``kept``, of those with a session and of those without each."""
    for pattern in _RUNS:
        runs = sorted((path for path in directory.glob(pattern) if (path / "result.json").is_file()), key=lambda path: path.name)
        for path in runs[: max(0, len(runs) - kept)]:
            shutil.rmtree(path, ignore_errors=True)
