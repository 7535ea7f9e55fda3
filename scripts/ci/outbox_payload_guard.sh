#!/usr/bin/env bash
# OB-01, OB-02: no event can carry more than its closed, committed schema says, and none names
# what must not be in an event.
set -euo pipefail
cd "$(dirname "$0")/../.."
SQLX_OFFLINE=true exec cargo test -q --workspace --locked --lib -- event::guard:: event::schema_files::
