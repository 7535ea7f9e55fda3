# Everything of the account goes: first what lets people in, then who is in, then what they had.
lock
mkdir -p "$REMOVED" "$STATE"
: > "$REMOVED/$ACCOUNT"
find "$REMOVED" "$STATE" -type f -mmin +1440 -delete
rm -f "/etc/ssh/principals/$ACCOUNT" "/etc/ssh/principals/.$ACCOUNT"

uid=$(account_uid)
if id -u "$ACCOUNT" > /dev/null 2>&1; then
    echo "$uid" > "$STATE/uid.$ACCOUNT"
    # An expired account is let in by no key, whatever its home holds.
    usermod --expiredate 1 "$ACCOUNT" >/dev/null
fi
if [ -n "$uid" ]; then
    if command -v loginctl > /dev/null 2>&1 && [ -d /run/systemd/system ]; then
        loginctl disable-linger "$ACCOUNT" 2> /dev/null || true
        loginctl terminate-user "$ACCOUNT" 2> /dev/null || true
    fi
    rm -f "/var/spool/cron/crontabs/$ACCOUNT" "/var/spool/cron/$ACCOUNT"
    for jobs in /var/spool/cron/atjobs /var/spool/at; do
        [ ! -d "$jobs" ] || find "$jobs" -type f -uid "$uid" -delete
    done
    # Again and again: a process may be born between a look and a shot.
    tries=0
    while pkill -KILL -u "$uid"; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] || fault processes_remain
        sleep 0.05
    done
    for device in /dev/nvidia[0-9]*; do
        if [ -e "$device" ] && [ "$(stat -c %u "$device")" = "$uid" ]; then
            chown 0:0 "$device"
            chmod 0600 "$device"
        fi
    done
    for kind in m q s; do
        command -v ipcs > /dev/null 2>&1 || break
        for segment in $(ipcs -$kind | awk -v owner="$ACCOUNT" '$3 == owner { print $2 }'); do
            ipcrm -$kind "$segment" || true
        done
    done
    for place in /tmp /var/tmp /dev/shm /run/lock; do
        [ ! -d "$place" ] || find "$place" -xdev -mindepth 1 -uid "$uid" -prune -exec rm -rf -- {} +
    done
    rm -rf "/run/user/$uid" 2> /dev/null || true
fi
if id -u "$ACCOUNT" > /dev/null 2>&1; then
    userdel --remove "$ACCOUNT" > /dev/null 2>&1 9>&- || true
    if id -u "$ACCOUNT" > /dev/null 2>&1; then
        fault account_remains
    fi
fi
if getent group "$ACCOUNT" > /dev/null 2>&1; then
    groupdel "$ACCOUNT"
fi
close_devices
rm -rf "/home/$ACCOUNT" "/var/mail/$ACCOUNT" "/var/spool/mail/$ACCOUNT"
echo done
