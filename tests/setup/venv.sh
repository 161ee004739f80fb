#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# Makes .venv in the checkout with Ansible, the `selfheal` command (live: edits need no new install) and the development tools.
set -eu
cd "$(dirname "$0")/../.."

python=$(sh tests/setup/find_python.sh)
# An environment that works is brought up to date; one whose Python or checkout has moved away is made anew.
if ! .venv/bin/pip --version >/dev/null 2>&1; then
    echo "make venv: making .venv with $python (half a minute)"
    "$python" -m venv --clear .venv
fi
.venv/bin/python -m pip install -qq --disable-pip-version-check --editable '.[postgresql,dev]'
echo "make venv: .venv has $(.venv/bin/ansible --version | sed -n 1p) on $(.venv/bin/python --version)"
