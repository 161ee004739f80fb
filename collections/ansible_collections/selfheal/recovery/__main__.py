# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The `selfheal` command of a collection that `ansible-galaxy` installed: `python3 .../ansible_collections/selfheal/recovery breaker status`."""

from __future__ import annotations

import sys
from pathlib import Path

COLLECTIONS = Path(__file__).resolve().parents[2]


def run() -> int:
    """Make this collection importable beside any others that this Python has, and hand over to the command."""
    if sys.version_info < (3, 11):
        found = "{}.{}".format(*sys.version_info)
        sys.stderr.write(f"selfheal: needs Python 3.11 or newer, found {found} ({sys.executable}): use the one that runs ansible-playbook\n")
        return 2
    sys.path.insert(0, str(COLLECTIONS.parent))
    import ansible_collections

    if str(COLLECTIONS) not in ansible_collections.__path__:  # the package `ansible` brings one that looks nowhere else
        ansible_collections.__path__.insert(0, str(COLLECTIONS))
    from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.main import main

    return main()


if __name__ == "__main__":
    sys.exit(run())
