#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# A lab host's pid 1: starts what a host runs, then collects the processes that lost their parent.
set -e
cd /
umount -l /mnt
/usr/sbin/sshd
/usr/local/sbin/lab-dockerd
set +e
while :; do
    sleep 3600 &
    wait $!
done
