#!/usr/bin/env bash
# Builds and runs every test; the last line is `N passed, N failed`. Stacks that the tests started
# are gone when this ends.
set -uo pipefail
cd "$(dirname "$0")/.."
export SQLX_OFFLINE=true
log=$(mktemp /tmp/berth-tests.XXXXXX)
export TMPDIR
TMPDIR=$(mktemp -d /tmp/berth-stacks.XXXXXX)
chmod 755 "$TMPDIR"

# Names of network namespaces, which simulated nodes live in.
namespaces() { ip netns list 2>/dev/null | cut -d' ' -f1 | sort; }
before=$(namespaces)

cargo build --workspace --all-targets --locked || { echo '0 passed, 1 failed'; exit 1; }
cargo test --workspace --locked --no-fail-fast -- "$@" 2>&1 | tee "$log"
status=${PIPESTATUS[0]}

# A stack ends by itself once its test process is gone; wait until each has.
for pid_file in "$TMPDIR"/*/up.pid; do
  [ -e "$pid_file" ] || continue
  for _ in $(seq 600); do kill -0 "$(cat "$pid_file")" 2>/dev/null || break; sleep 0.1; done
done
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }
# Those that nothing runs in any more: one with processes belongs to another stack.
empty() {
  for name in $(comm -13 <(printf '%s\n' "$before") <(namespaces)); do
    [ -n "$(as_root ip netns pids "$name" 2>/dev/null)" ] || printf ' %s' "$name"
  done
}
# Another stack may be starting or ending right now.
for _ in $(seq 100); do left=$(empty); [ -n "$left" ] || break; sleep 0.1; done
if [ -n "$left" ]; then
  echo "left behind: network namespaces$left"
  tail -n 20 "$TMPDIR"/*/data/log/node-host.log
  status=1
fi
rm -rf "$TMPDIR" 2>/dev/null || sudo -n rm -rf "$TMPDIR"

# Why tests failed, once more: what is far above is cut where only the end of an output is kept.
grep -a -A 1 "^thread '.* panicked at" "$log" | grep -v '^--$' | cut -c1-600 | tail -n 60

awk -v status="$status" '/^test result:/ { passed += $4; failed += $6 }
  END { if (status != 0 && failed == 0) failed = 1; printf "%d passed, %d failed\n", passed, failed }' "$log"
rm -f "$log"
exit "$status"
