#!/bin/sh
# Copyright (c) selfheal.recovery contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
#
# The first process of a lab host, inside its new namespaces: it puts the host's root together and becomes the host's pid 1.
# Everything the host writes is in one tmpfs of this mount namespace, so it ends with the host and leaves nothing behind.
# Usage: host_init.sh ROOTFS[:ROOTFS...] DIRECTORY NAME TMPFS_SIZE   (the topmost first)
set -e
rootfs=$1 directory=$2 name=$3 size=$4

bed=$directory/bed root=$directory/bed/root
mkdir -p "$bed"
mount -t tmpfs -o "mode=755,size=$size" lab "$bed"
mkdir "$bed/upper" "$bed/work" "$bed/docker" "$root"
mount -t overlay -o "lowerdir=$rootfs,upperdir=$bed/upper,workdir=$bed/work" lab "$root"
cp -a "$directory/seed/." "$root/"

mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o "mode=1777,size=$size" tmp "$root/tmp"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
    : > "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mkdir -p "$root/run/sshd" "$root/var/lib/docker"
mount --bind "$bed/docker" "$root/var/lib/docker"

hostname "$name"
mkdir -p "$root/mnt"
cd "$root"
pivot_root . mnt
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 /bin/sh /usr/local/sbin/lab-host
