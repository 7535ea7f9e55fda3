# What the machine is and has.
echo "boot_id $(cat /proc/sys/kernel/random/boot_id)"
echo "disk_free_kib $(df -Pk /home | awk 'NR == 2 { print $4 }')"
# What the driver told the kernel's log since the machine was started.
dmesg 2> /dev/null | sed -n 's/.*NVRM: Xid (PCI:[^)]*): \([0-9][0-9]*\).*/xid \1/p' | sort -u
gpus env
