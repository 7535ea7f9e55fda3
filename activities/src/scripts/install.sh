# The account ACCOUNT with its devices, then its keys: whoever gets in finds everything there.
lock
# A try that was overtaken by the removal must not bring anything back.
if [ -e "$REMOVED/$ACCOUNT" ]; then
    fault already_removed
fi
mkdir -p "$STATE" /etc/ssh/principals
chmod 0755 /etc/ssh/principals

if ! id -u "$ACCOUNT" > /dev/null 2>&1; then
    # A group without its account is what a cut off try left.
    if getent group "$ACCOUNT" > /dev/null 2>&1; then groupdel "$ACCOUNT" 9>&-; fi
    shell=/bin/sh
    [ -x /bin/bash ] && shell=/bin/bash
    useradd --create-home --home-dir "/home/$ACCOUNT" --shell "$shell" --user-group "$ACCOUNT" \
        9>&- || fault account_not_made
fi
uid=$(id -u "$ACCOUNT")
echo "$uid" > "$STATE/uid.$ACCOUNT"
# So is an account without its group, whose number would go to the next one.
if ! getent group "$ACCOUNT" > /dev/null 2>&1; then
    groupadd --gid "$(id -g "$ACCOUNT")" "$ACCOUNT" 9>&- || fault account_not_made
fi
# No password, and not locked either: sshd turns locked accounts away.
[ "$(getent shadow "$ACCOUNT" | cut -d: -f2)" = '*' ] || usermod -p '*' "$ACCOUNT"
if [ ! -d "/home/$ACCOUNT" ]; then
    cp -RP /etc/skel "/home/$ACCOUNT" || fault home_not_made
    chown -R -h "$ACCOUNT:" "/home/$ACCOUNT"
fi
chmod 0700 "/home/$ACCOUNT"

for index in $GPUS; do
    device=/dev/nvidia$index
    [ -e "$device" ] || fault gpu_missing
    owner=$(stat -c %u "$device")
    if [ "$owner" != 0 ] && [ "$owner" != "$uid" ]; then
        fault gpu_in_use
    fi
done
close_devices
for index in $GPUS; do
    chmod 0600 "/dev/nvidia$index"
    chown "$uid:0" "/dev/nvidia$index"
done

# Written by the account itself: whatever it may have put in its home, this reaches no further.
printf '%s\n' "$KEYS" | runuser -u "$ACCOUNT" -- sh -c '
    cd "$1" && mkdir -p .ssh && chmod 0700 .ssh && cat > .ssh/.berth && mv -f .ssh/.berth .ssh/authorized_keys
' sh "/home/$ACCOUNT" || fault keys_not_written
printf '%s\n' "$PRINCIPAL" > "/etc/ssh/principals/.$ACCOUNT"
chmod 0644 "/etc/ssh/principals/.$ACCOUNT"
mv -f "/etc/ssh/principals/.$ACCOUNT" "/etc/ssh/principals/$ACCOUNT"
echo done
