#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# Makes each target in turn, whatever became of the one before, and sums up. Status 1 if any failed.
set -u

summary=""
status=0
began=$(date +%s)
for target in "$@"; do
    printf '\n=== make %s\n' "$target"
    start=$(date +%s)
    if "${MAKE:-make}" --keep-going --no-print-directory "$target"; then result=ok; else result=FAILED status=1; fi
    summary="$summary$(printf '%-16s %-6s %4d s' "$target" "$result" $(($(date +%s) - start)))
"
done
printf '\n=== summary\n%s%-16s %-6s %4d s\n' "$summary" total "$([ $status = 0 ] && echo ok || echo FAILED)" $(($(date +%s) - began))
exit $status
