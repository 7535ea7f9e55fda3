# Read before each of the other scripts. POSIX shell, as root, on a machine with util-linux and
# the shadow tools. Each script may be cut off anywhere and run again.
set -eu
umask 077
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C

# What is wrong with the machine, as a stable code; ends the script.
fault() {
    echo "fault $1"
    exit 3
}

# One change of accounts at a time; 75 means: try again.
lock() {
    mkdir -p /run/lock
    exec 9> /run/lock/berth.lock
    flock -w 20 9 || exit 75
}

# Answers of nvidia-smi, one a line behind the word `gpu`. No device at all is an empty answer.
gpus() {
    status=0
    answer=$("$@" nvidia-smi --query-gpu="$QUERY" --format=csv,noheader,nounits 2> /dev/null) || status=$?
    case $status in
        0) echo "$answer" | sed 's/^/gpu /' ;;
        6) ;;
        *) fault driver_unavailable ;;
    esac
}

# The account's number, now or while it existed. A number that went to another account since then
# is nobody's: what has it belongs to somebody else.
account_uid() {
    if ! id -u "$ACCOUNT" 2> /dev/null && [ -f "$STATE/uid.$ACCOUNT" ]; then
        uid=$(cat "$STATE/uid.$ACCOUNT")
        [ -n "$(getent passwd "$uid")" ] || echo "$uid"
    fi
}

STATE=/var/lib/berth
REMOVED=/run/berth/removed

# A driver makes its devices for everybody, with each start of the machine: those that nobody leased
# are root's alone.
close_devices() {
    for device in /dev/nvidia[0-9]*; do
        if [ -e "$device" ] && [ "$(stat -c %u "$device")" = 0 ]; then
            chown 0:0 "$device"
            chmod 0600 "$device"
        fi
    done
}
