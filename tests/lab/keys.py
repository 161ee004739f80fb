# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""SSH keys of a lab: one for whoever logs in, one per host, all known before the first connection."""

from __future__ import annotations

from pathlib import Path

from .commands import Commands
from .plan import Plan


def make(plan: Plan, commands: Commands) -> None:
    """The user's key and `known_hosts` in the state directory, each host's key in `host_key(...)`; private keys are 0600."""
    _generate(plan.state / "id_ed25519", f"lab {plan.identity}", commands)
    known = []
    for number in plan.numbers:
        key = host_key(plan, number)
        _generate(key, plan.host_name(number), commands)
        known.append(f"{plan.address(number)} {key.with_name(key.name + '.pub').read_text()}")
    (plan.state / "known_hosts").write_text("".join(known))


def host_key(plan: Plan, number: int) -> Path:
    return plan.directory(number) / "ssh_host_ed25519_key"


def ssh_options(plan: Plan) -> list[str]:
    """Options for `ssh` with which only the lab's own hosts are believed, whatever the user's configuration says."""
    return [
        *("-o", f"UserKnownHostsFile={plan.state / 'known_hosts'}"),
        *("-o", "GlobalKnownHostsFile=/dev/null"),
        *("-o", "StrictHostKeyChecking=yes"),
        *("-o", "IdentitiesOnly=yes"),
    ]


def _generate(key: Path, comment: str, commands: Commands) -> None:
    key.parent.mkdir(mode=0o700, exist_ok=True)
    commands.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(key)])
