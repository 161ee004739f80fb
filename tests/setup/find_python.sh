#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# Prints the path of a Python >= 3.11 that can make virtual environments: $PYTHON, or the first that works on the PATH.
set -eu

good='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
# Not the Python of an environment that happens to be active.
where='import sys; print(getattr(sys, "_base_executable", None) or sys.executable)'

for name in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
    if "$name" -c "$good" >/dev/null 2>&1; then
        exec "$name" -c "$where"
    fi
done

tried=${PYTHON:-python3}
found=$("$tried" -c 'import sys; print("Python %d.%d" % sys.version_info[:2])' 2>/dev/null || echo "no working $tried")
case $found in
    *.1[1-9] | *.[2-9][0-9]) need="its module venv (Debian: apt-get install python3-venv)" ;;
    *) need="Python 3.11 or newer" ;;
esac
echo "make venv: needs $need; found $found. Install it, or name one: make venv PYTHON=/path/to/python3" >&2
exit 1
