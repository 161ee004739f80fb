#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# Prints the path of a Python that can make virtual environments: of $PYTHON, or of the first >= 3.11 that works on the PATH.
# Usage: find_python.sh [VERSION]   with a version (3.13), of exactly that one, on the PATH or among pyenv's.
set -eu

# Not the Python of an environment that happens to be active, nor the shim of a version manager.
where='import sys; print(getattr(sys, "_base_executable", None) or sys.executable)'

# say_first CONDITION NAME...: the first that works and fulfils the condition.
say_first() {
    good="import sys, venv, ensurepip; sys.exit(not ($1))"
    shift
    for name in "$@"; do
        if "$name" -c "$good" >/dev/null 2>&1; then
            exec "$name" -c "$where"
        fi
    done
}

if [ $# -gt 0 ]; then
    say_first "'%d.%d' % sys.version_info[:2] == '$1'" "python$1" python3 "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/"$1".*/bin/python3
    echo "needs Python $1, and neither the PATH nor pyenv has one that works: install it (pyenv install $1)" >&2
    exit 1
fi

# $PYTHON may be several names.
# shellcheck disable=SC2086
say_first "sys.version_info >= (3, 11)" ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}

tried=${PYTHON:-python3}
found=$("$tried" -c 'import sys; print("Python %d.%d" % sys.version_info[:2])' 2>/dev/null || echo "no working $tried")
case $found in
    *.1[1-9] | *.[2-9][0-9]) need="its module venv (Debian: apt-get install python3-venv)" ;;
    *) need="Python 3.11 or newer" ;;
esac
echo "make venv: needs $need; found $found. Install it, or name one: make venv PYTHON=/path/to/python3" >&2
exit 1
