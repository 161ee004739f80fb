# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Run molecule inside a lab of its own: `python -m tests.setup.run_molecule [molecule's arguments]`, by default all scenarios.

Scenarios find the lab's hosts, `molecule-1` and so on, in the group `recovery`; each has its own engine and no container yet. The archive of
the demo service's image is where SELFHEAL_LAB_IMAGE says.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.lab import Lab, LabError, lab_unavailable, service

COLLECTION = Path(__file__).resolve().parents[2] / "collections" / "ansible_collections" / "selfheal" / "recovery"
HOSTS = 2


def main(arguments: list[str]) -> int:
    """Start the lab, run molecule in its network, clear the lab up; returns molecule's status."""
    reason = lab_unavailable()
    if reason:
        print(f"molecule: skipped: {reason}")
        return 0
    try:
        with Lab("molecule", HOSTS) as lab, tempfile.TemporaryDirectory() as directory:
            instances: dict[str, tuple[int, dict[str, Any]]] = {f"molecule-{number + 1}": (number, {}) for number in range(HOSTS)}
            inventory = lab.write_inventory(Path(directory, "hosts.yml"), instances)
            image = Path(directory, "image.tar")
            image.write_bytes(service.image_archive("1"))
            # molecule knows a collection by the galaxy.yml beside it, and starts Ansible by name.
            path = os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", os.defpath)])
            # It remembers in Ansible's home what is prepared, which these hosts are not.
            ours = {"PATH": path, "ANSIBLE_HOME": directory, "SELFHEAL_LAB_INVENTORY": str(inventory), "SELFHEAL_LAB_IMAGE": str(image)}
            line = lab.enter(["molecule", *(arguments or ["test", "--all", "--no-command-borders"])])
            return subprocess.run(line, cwd=COLLECTION, env=os.environ | ours, stdin=subprocess.DEVNULL, check=False).returncode
    except LabError as error:
        print(f"molecule: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
