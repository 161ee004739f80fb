# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find the Python that has the `selfheal` command and hand over to it.

Whoever runs a front door may do so with the machine's own, older Python: this file is for all of them, so it has no annotations and no f-strings.
"""

import os
import sys
from importlib.util import find_spec

CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
ENVIRONMENT = os.path.join(CHECKOUT, ".venv")
COMMAND = "ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.main"


def hand_over(subcommand):
    """Run `selfheal SUBCOMMAND` with this command's own arguments; never returns."""
    if importable():
        from ansible_collections.selfheal.recovery.plugins.plugin_utils._cli.main import main

        sys.exit(main([subcommand] + sys.argv[1:]))
    python = os.path.join(ENVIRONMENT, "bin", "python")
    inside = os.path.realpath(sys.prefix) == os.path.realpath(ENVIRONMENT)
    if inside or not os.access(python, os.X_OK):
        sys.stderr.write("selfheal: no environment with Ansible in {0}: run `make venv` in {1}\n".format(ENVIRONMENT, CHECKOUT))
        sys.exit(2)
    os.execv(python, [python, os.path.realpath(sys.argv[0])] + sys.argv[1:])


def importable():
    """Whether this Python is new enough and has the project installed."""
    try:
        return sys.version_info >= (3, 11) and find_spec(COMMAND) is not None
    except ImportError:
        return False
