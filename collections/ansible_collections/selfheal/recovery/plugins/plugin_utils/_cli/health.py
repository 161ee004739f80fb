# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`selfheal health`: probe a service from here."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from typing import Any, NoReturn

from ...module_utils._adapters.deadline import Deadline
from ...module_utils._adapters.engine.client import Engine
from ...module_utils._adapters.engine.errors import NoSuchContainer
from ...module_utils._adapters.engine.transport import DEFAULT_ADDRESS
from ...module_utils._adapters.guard_target import NOBODY, Known, target
from ...module_utils._adapters.host_guard import HostGuard
from ...module_utils._adapters.prober import Prober
from ...module_utils._adapters.probes.kind import Probe
from ...module_utils._adapters.probes.registry import parse
from ...module_utils._domain.errors import BadInput
from ...module_utils._domain.verdict import DEGRADED, HEALTHY, UNHEALTHY, UNKNOWN, Health
from .exits import ANSWER_IS_NO, DONE, FAILED
from .output import export, hint, say, say_json, table
from .words import harmless

DEFAULT_URL = "http://localhost:8080"
DEFAULT_STORAGE = "./storage"
EXITS = {HEALTHY: DONE, DEGRADED: ANSWER_IS_NO, UNHEALTHY: ANSWER_IS_NO}


class _NoContainer(Engine):
    """The engine of a service that is probed by its address alone: it is not asked about a container that nobody named."""

    def inspect(self, name: str, deadline: Deadline | None = None) -> NoReturn:
        raise NoSuchContainer(name)


def run(arguments: Namespace) -> int:
    """Measure, tell, and judge by the exit code."""
    container: str = arguments.container or ""
    probes = _probes(arguments, container)
    scope = target(getattr(arguments, "scope", None), os.environ, Known()).scope or NOBODY
    health = Prober(scope, container, probes, _engine(container, probes), HostGuard()).measure().health
    if arguments.export:
        export(arguments.export, health.to_json())
    if arguments.json:
        say_json(health.to_json())
    else:
        _tell(health)
    if health.overall_status == UNKNOWN:
        hint(f"the verdict is unknown: {'; '.join(health.errors) or 'it is still starting'}")
    return EXITS.get(health.overall_status, FAILED)


def _engine(container: str, probes: tuple[Probe, ...]) -> Engine:
    """Where no engine is asked, it does not matter that DOCKER_HOST names one of another host."""
    asked = container or any(probe.kind.name == "docker" for probe in probes)
    address = (asked and os.environ.get("DOCKER_HOST")) or DEFAULT_ADDRESS
    return Engine(address) if container else _NoContainer(address)


def _probes(arguments: Namespace, container: str) -> tuple[Probe, ...]:
    if arguments.probes is not None and arguments.url is not None:
        raise BadInput("expected either --probes or --url, found both", "Put the URL into the file: {kind: http, url: …}")
    probes = parse(_default_probes(arguments.url, container) if arguments.probes is None else _read(arguments.probes))
    for probe in probes if not container else ():
        if probe.kind.name in ("container", "logs") or probe.options.get("in_container"):
            raise BadInput(f"probe {probe.name!r} needs the name of a container", "Name it: --container NAME")
    return probes


def _default_probes(url: str | None, container: str) -> list[dict[str, Any]]:
    of_container = [{"kind": "docker"}, {"kind": "container"}] if container else []
    return [*of_container, {"kind": "http", "url": url or os.environ.get("TAILPASTE_URL") or DEFAULT_URL}, *_of_storage()]


def _of_storage() -> list[dict[str, Any]]:
    """The storage that was named; else the usual one where there is one: a service without any is not ill for that."""
    named = os.environ.get("STORAGE_PATH")
    path = os.path.abspath(named or DEFAULT_STORAGE)
    return [{"kind": "storage", "path": path}] if named or os.path.exists(path) else []


def _read(path: str) -> list[Any]:
    import json

    try:
        if path == "-":
            probes = json.load(sys.stdin)
        else:
            with open(path, encoding="utf-8") as stream:
                probes = json.load(stream)
    except OSError as error:
        raise BadInput(f"expected a file of probes, found: {error.strerror} ({path})") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"expected a JSON list of probes in {path}, found text that is none: {error}") from None
    if not isinstance(probes, list) or not probes:
        raise BadInput(f"expected a JSON list of at least one probe in {path}, found {'an empty list' if probes == [] else f'a {type(probes).__name__}'}")
    return probes


def _tell(health: Health) -> None:
    say(f"{harmless(health.scope)}: {health.overall_status} at {health.timestamp}, measured from {harmless(health.host)}")
    columns = ("check", "kind", "status", "critical", "ms", "message")
    table(columns, ((check.name, check.kind, check.status, "yes" if check.critical else "no", check.duration_ms, check.message) for check in health.checks))
    say(*(f"warning: {harmless(warning)}" for warning in health.warnings))
