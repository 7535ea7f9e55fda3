#!/usr/bin/env bash
# Prints a row for each table that only grows: rows, bytes, triggers, verdict. Ends with 1 when a
# trigger is crossed. Asks the installation that .berth/env in the current folder names, or the one
# that BERTH_API_URL and BERTH_ADMIN_KEY do.
set -euo pipefail
berth=${BERTH_BIN:-$(dirname "$0")/../../target/debug/berth}
exec "$berth" partition check "$@"
