# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The lab's registry: Debian's docker-registry, plain HTTP, reachable from within the lab only."""

from __future__ import annotations

import json
import subprocess

from . import network
from .commands import Commands
from .plan import Plan


def start(plan: Plan, commands: Commands) -> subprocess.Popen[bytes]:
    directory = plan.state / "registry"
    directory.mkdir(mode=0o700, exist_ok=True)
    configuration = directory / "config.yml"
    settings = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(directory / "data")}, "delete": {"enabled": True}},
        "http": {"addr": plan.registry},
    }
    configuration.write_text(json.dumps(settings, indent=2) + "\n")  # JSON is YAML too
    return commands.stay(plan.control, ["docker-registry", "serve", str(configuration)], log=directory / "log", environment={"OTEL_TRACES_EXPORTER": "none"})


def answers(plan: Plan) -> bool:
    with network.connect(plan.control, (plan.gateway, 5000)) as channel:
        channel.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
        return b" 200 " in channel.recv(64)
