# What the tenant will find, seen by the tenant's account.
id -u "$ACCOUNT" > /dev/null 2>&1 || fault account_missing
[ -s "/etc/ssh/principals/$ACCOUNT" ] || fault principals_missing
runuser -u "$ACCOUNT" -- sh -c 'cd "$1" && test -w . && test -s .ssh/authorized_keys' sh "/home/$ACCOUNT" ||
    fault home_unusable
echo "boot_id $(cat /proc/sys/kernel/random/boot_id)"
gpus runuser -u "$ACCOUNT" --
