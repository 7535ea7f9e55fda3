#!/bin/sh
# First process of a simulated machine, in mount, pid, uts and network namespaces of its own.
# Builds a root of which the real machine gives nothing but its programs, read-only, and becomes
# sshd in it. NODE_DIR: what survives a restart. NODE_NAME, NODE_GPUS: as asked for.
set -eu
umask 022

root=$NODE_DIR/root
mkdir -p "$root"
mount -t tmpfs -o mode=0755,size=16m,nosuid node "$root"
cd "$root"
mkdir usr etc home root run tmp proc dev var .before

# set-uid programs keep working (su, crontab); nothing below /usr can be changed from here.
mount --bind /usr usr
mount -o remount,bind,ro usr
for dir in bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$dir" ]; then
        ln -s "$(readlink "/$dir")" "$dir"
    elif [ -d "/$dir" ]; then
        mkdir "$dir"
        mount --bind "/$dir" "$dir"
        mount -o remount,bind,ro "$dir"
    fi
done
mount -t tmpfs -o mode=0755,size=1m,nosuid local usr/local
mkdir usr/local/bin
install -m 0755 "$NODE_DIR/nvidia-smi" usr/local/bin/nvidia-smi
install -m 0755 "$NODE_DIR/dmesg" usr/local/bin/dmesg

mount --bind "$NODE_DIR/etc" etc
mount --bind "$NODE_DIR/home" home
chmod 0700 root
mount -t tmpfs -o mode=0755,size=4m,nosuid run run
mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev tmp tmp
mkdir run/sshd run/lock run/berth run/berth/faults
mount --bind "$NODE_DIR/faults" run/berth/faults
mkdir -p var/cache var/lib var/log var/mail var/spool var/tmp
ln -s /run var/run
chmod 1777 var/tmp
if grep -q '^crontab:' etc/group; then
    mkdir -p var/spool/cron/crontabs
    chgrp crontab var/spool/cron/crontabs
    chmod 1730 var/spool/cron/crontabs
fi

# Other accounts' processes stay unseen, as on a machine that tenants share.
mount -t proc -o nosuid,nodev,noexec,hidepid=2 proc proc
echo "$NODE_NAME" > proc/sys/kernel/hostname
cat proc/sys/kernel/random/uuid > run/berth/boot_id
chmod 0444 run/berth/boot_id
mount --bind run/berth/boot_id proc/sys/kernel/random/boot_id

mkdir dev/pts dev/shm
for name in null zero full random urandom tty; do
    : > "dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o mode=1777,size=16m,nosuid,nodev shm dev/shm
# What a driver makes: anybody may open the control device, a GPU only its owner.
: > dev/nvidiactl
: > dev/nvidia-uvm
chmod 0666 dev/nvidiactl dev/nvidia-uvm
index=0
while [ "$index" -lt "$NODE_GPUS" ]; do
    : > "dev/nvidia$index"
    mount --bind "$NODE_DIR/devices/nvidia$index" "dev/nvidia$index"
    index=$((index + 1))
done

pivot_root . .before
cd /
umount -l /.before
rmdir /.before
# A tenant of the simulation cannot fill the real disk with one file (blocks of 512 bytes).
ulimit -f 2097152
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    /usr/sbin/sshd -D -e -f /etc/ssh/sshd_config
