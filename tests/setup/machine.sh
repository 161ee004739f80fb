#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# Installs the Debian packages that the lab is made of, only those missing, and starts none of their services.
# Where it cannot, it says what is missing: the tests that need it are then skipped with that reason.
# Usage: machine.sh [FOR PACKAGE ...] installs these packages instead, and says what for.
set -eu

who=lab
packages="docker.io iptables openssh-server openssh-client openssl mmdebstrap busybox-static docker-registry iproute2 git postgresql"
commands="dockerd iptables sshd ssh openssl mmdebstrap busybox docker-registry ip git postgres"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
for directory in /usr/lib/postgresql/*/bin; do PATH=$PATH:$directory; done
if [ $# -gt 0 ]; then
    who=$1
    shift
    packages=$*
fi

missing=""
if command -v dpkg-query >/dev/null; then
    for package in $packages; do
        state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$state" = installed ] || missing="$missing $package"
    done
else
    for command in $commands; do
        command -v "$command" >/dev/null || missing="$missing $command"
    done
fi
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "$who: missing:$missing. Run 'make $who' as root on Debian or Ubuntu, or install them yourself; until then what needs them is skipped."
    exit 0
fi

# Debian starts a service when it installs it, unless this file says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
fi

# Debian makes a cluster when it installs the server, unless this file says no; tests make their own.
case "$missing " in
    *" postgresql "*)
        cluster=/etc/postgresql-common/createcluster.conf
        if [ ! -e "$cluster" ]; then
            mkdir -p "${cluster%/*}"
            echo 'create_main_cluster = false' >"$cluster"
        fi
        ;;
esac

install() {
    # The names are separate words, on purpose.
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold $missing
}

echo "$who: installing$missing"
install >/dev/null 2>&1 || { apt-get update --quiet && install; }
