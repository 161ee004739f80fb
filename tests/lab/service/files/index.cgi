#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# One answer of the demo service: httpd starts this for every request of `/`.
active() {
    for file in "/faults/$1" "/faults/$1.until-restart"; do
        [ -e "$file" ] && return
    done
    return 1
}
relapsed() {
    active relapse || return
    read -r uptime _ < /proc/uptime
    [ $((${uptime%.*} - $(cat /run/started))) -ge "$(cat "$file")" ]
}

while active hang; do sleep 0.2; done
if active slow; then sleep "$(cat "$file")"; fi

status='200 OK'
if [ -e /etc/bad-release ]; then
    status='500 Internal Server Error' why='this release is bad'
elif active http500; then
    status='500 Internal Server Error' why='http500'
elif relapsed; then
    status='500 Internal Server Error' why='relapse'
fi
printf 'Status: %s\r\nContent-Type: text/plain\r\n\r\n' "$status"
echo "${SERVICE_NAME:-$(hostname)} release $(cat /etc/release)${why:+: $why}"
if [ -n "$why" ]; then echo "error: answered 500: $why" >&2; fi
