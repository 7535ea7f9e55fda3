# Looks for anything that the account left, and says each kind of it.
left() { echo "left $1"; }
uid=$(account_uid)
if id -u "$ACCOUNT" > /dev/null 2>&1; then left account; fi
if getent group "$ACCOUNT" > /dev/null 2>&1; then left group; fi
if [ -e "/home/$ACCOUNT" ]; then left home; fi
if [ -e "/etc/ssh/principals/$ACCOUNT" ] || [ -e "/etc/ssh/principals/.$ACCOUNT" ]; then left principals; fi
if [ -e "/var/spool/cron/crontabs/$ACCOUNT" ] || [ -e "/var/spool/cron/$ACCOUNT" ]; then left cron; fi
for index in $GPUS; do
    [ "$(stat -c '%u %g %a' "/dev/nvidia$index" 2> /dev/null || echo 0 0 600)" = '0 0 600' ] || left "device $index"
done
if [ -n "$uid" ]; then
    if pgrep -u "$uid" > /dev/null; then left processes; fi
    for device in /dev/nvidia[0-9]*; do
        if [ -e "$device" ] && [ "$(stat -c %u "$device")" = "$uid" ]; then left "device ${device#/dev/nvidia}"; fi
    done
    for place in /tmp /var/tmp /dev/shm /run/lock /var/spool/cron/atjobs /var/spool/at; do
        [ ! -d "$place" ] || [ -z "$(find "$place" -xdev -mindepth 1 -uid "$uid" -print -quit)" ] || left files
    done
fi
echo done
