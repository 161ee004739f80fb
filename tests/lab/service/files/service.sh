#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# The demo service's pid 1. The shell handles SIGTERM itself, because a process 1 without a handler ignores it.
faults=/faults

deaf() { [ -e "$faults/deaf" ] || [ -e "$faults/deaf.until-restart" ]; }
outlive() { while kill -0 "$1" 2> /dev/null; do wait "$1"; done; } # a signal ends one wait, not the process waited for

trap 'deaf && echo "SIGTERM ignored" || { echo "stopped"; exit 0; }' TERM INT

rm -f "$faults"/*.until-restart
if [ -e "$faults/crash" ]; then
    echo "error: cannot start: crash" >&2
    exit 1
fi
if [ -e "$faults/start-delay" ]; then
    sleep "$(cat "$faults/start-delay")" &
    outlive $!
fi
read -r uptime _ < /proc/uptime
echo "${uptime%.*}" > /run/started
httpd -f -p "${PORT:-8080}" -h /srv &
echo "release $(cat /etc/release) listens on port ${PORT:-8080}"
outlive $!
echo "error: the server ended" >&2
exit 1
