#!/usr/bin/env bash
# Ends the stack that `berth up` runs from this folder and waits until it is gone; its data stay.
# With --clean-data they go too.
set -euo pipefail
cd "$(dirname "$0")/.."

# The same rule as berth up: root's data live where PostgreSQL's account can enter.
data=$PWD/.berth/data
if [ "$(id -u)" = 0 ]; then data=/var/lib/berth/$(printf %s "$PWD" | sha256sum | cut -c1-12); fi
if [ -r .berth/env ]; then
  # shellcheck disable=SC1091
  data=$(. .berth/env && printf %s "${BERTH_PIDS_DIR%/pids}")
fi

gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null; }
pid=$(cat "$data/up.pid" 2>/dev/null || true)
if [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'berth.* up '; then
  kill -TERM "$pid"
  deadline=$((SECONDS + 90))
  until gone "$pid"; do
    [ "$SECONDS" -lt "$deadline" ] || { echo "down: berth up (pid $pid) does not end" >&2; exit 1; }
    read -rt 0.1 <> <(:) || true
  done
  echo "down: stopped"
else
  echo "down: nothing runs on $data"
fi

if [ "${1:-}" = --clean-data ]; then
  # Simulated nodes hold files of accounts of their own.
  rm -rf "$data" 2>/dev/null || sudo -n rm -rf "$data"
  rm -f .berth/env
  echo "down: removed $data"
fi
