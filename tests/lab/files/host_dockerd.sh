#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# Start the host's engine in the background; a pid file left by a killed one is removed, as a service manager would.
# When the engine ends, its exit status is in /run/dockerd.status.
pid=$(cat /run/docker.pid 2> /dev/null) && [ "$(cat "/proc/$pid/comm" 2> /dev/null)" != dockerd ] && rm -f /run/docker.pid
rm -f /run/dockerd.status
setsid sh -c 'dockerd >> /var/log/dockerd.log 2>&1; echo $? > /run/dockerd.status' < /dev/null > /dev/null 2>&1 &
