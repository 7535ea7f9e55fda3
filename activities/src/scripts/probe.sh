# What the machine is and has.
echo "boot_id $(cat /proc/sys/kernel/random/boot_id)"
echo "disk_free_kib $(df -Pk /home | awk 'NR == 2 { print $4 }')"
gpus env
