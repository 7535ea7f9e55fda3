#!/usr/bin/env bash
# Checks every SQL statement against the migrations, on a Postgres of its own, and keeps what the
# macros learn in .sqlx/, from which everybody else builds without a database.
#   scripts/sqlx_prepare.sh           writes .sqlx/
#   scripts/sqlx_prepare.sh --check   fails when .sqlx/ is not what would be written
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
work=$(mktemp -d /tmp/berth-sqlx.XXXXXX)
fresh=$work/sqlx
mkdir "$fresh"
as=()
if [ "$(id -u)" = 0 ]; then
  as=(setpriv --reuid=postgres --regid=postgres --init-groups env "HOME=$work")
  chown postgres "$work"
fi
stop() {
  [ -z "${server:-}" ] || { kill -INT "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; }
  rm -rf "$work"
}
trap stop EXIT

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"${as[@]}" "$bin/initdb" -D "$work/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$work/log"
"${as[@]}" setpriv --pdeathsig INT "$bin/postgres" -D "$work/data" -p "$port" -k "$work" \
  -c listen_addresses=127.0.0.1 -c fsync=off >>"$work/log" 2>&1 &
server=$!
for _ in $(seq 300); do
  "$bin/pg_isready" -q -h 127.0.0.1 -p "$port" && break
  kill -0 "$server" 2>/dev/null || { tail -n 20 "$work/log" >&2; exit 1; }
  sleep 0.1
done

admin=postgres://postgres@127.0.0.1:$port
psql -q "$admin/postgres" -v ON_ERROR_STOP=1 -f db/bootstrap/roles.sql
psql -q "$admin/postgres" -v ON_ERROR_STOP=1 -c 'create database berth owner berth_owner'
psql -q "$admin/berth" -v ON_ERROR_STOP=1 -c 'alter schema public owner to berth_owner'
for migration in migrations/*.sql; do
  psql -q "postgres://berth_owner@127.0.0.1:$port/berth" -v ON_ERROR_STOP=1 -1 -f "$migration"
done

# The macros write what they learn into SQLX_OFFLINE_DIR while they ask a live database, and they
# run only when their crate is compiled. Its root gets its old time back afterwards, so that nobody
# compiles it once more because of this.
touch -r db/src/lib.rs "$work/time"
touch db/src/lib.rs
SQLX_OFFLINE=false SQLX_OFFLINE_DIR=$fresh DATABASE_URL=postgres://berth_owner@127.0.0.1:$port/berth \
  cargo check -q --workspace --locked
touch -r "$work/time" db/src/lib.rs
[ -n "$(ls "$fresh")" ] || { echo 'sqlx_prepare: no query was described' >&2; exit 1; }

if [ "${1:-}" = --check ]; then
  diff -rq .sqlx "$fresh" >&2 || { echo '.sqlx/ is stale: run scripts/sqlx_prepare.sh' >&2; exit 1; }
else
  rm -rf .sqlx
  cp -r "$fresh" .sqlx
fi
