#!/usr/bin/env bash
# Everything about the tree that can be checked without a running stack.
set -euo pipefail
cd "$(dirname "$0")/.."

part() { printf 'check: %s\n' "$*" >&2; }

part format
cargo fmt --all --check
part 'lints (warnings are errors)'
SQLX_OFFLINE=true cargo clippy -q --workspace --all-targets --locked -- -D warnings
part 'links in the documentation of the code'
SQLX_OFFLINE=true cargo doc -q --workspace --no-deps --locked
part 'SQL against the schema'
scripts/sqlx_prepare.sh --check
part 'OpenAPI document (stale: berth openapi > doc/api/openapi.json)'
SQLX_OFFLINE=true cargo run -q --locked --bin berth -- openapi | diff doc/api/openapi.json - >&2
part 'event schemas'
scripts/ci/outbox_payload_guard.sh
part 'containers (the file; nothing is started)'
.dev/venv/bin/docker-compose --env-file docker-compose.env.example -f docker-compose.temporal.yml config -q
part 'alert rules, each with a firing and a quiet case'
promtool check rules ops/prometheus/rules/*.yml >&2
promtool test rules ops/prometheus/tests/*.yml >&2
part 'dashboards'
drawn=$(python3 scripts/ci/dashboards.py ops/grafana/*.json)
promtool check rules <(printf '%s' "$drawn") >&2
part 'guards: rooms, documents, watchlist'
SQLX_OFFLINE=true cargo test -q --workspace --locked --test all -- tidy::
if command -v cargo-deny >/dev/null; then
  part 'licences, bans, sources'
  cargo deny --locked check --hide-inclusion-graph licenses bans sources
  # A copy of the RustSec database beside the clone spares fetching it.
  copy=${BERTH_ADVISORIES:-../shared/data/rustsec-advisory-db.tar.gz}
  database=.dev/advisory-dbs/advisory-db-3157b0e258782691
  if [ -e "$copy" ] && [ ! -e $database/.git/FETCH_HEAD ]; then
    mkdir -p $database/.git
    tar -xzf "$copy" -C $database
    : >$database/.git/FETCH_HEAD
  fi
  if [ -e $database/.git/FETCH_HEAD ]; then
    part 'advisories'
    cargo deny --locked --offline check --hide-inclusion-graph advisories
  else
    part 'advisories not checked: no copy of the RustSec database'
  fi
else
  part 'licences and advisories not checked: cargo-deny is not installed'
fi
