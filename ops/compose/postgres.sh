#!/bin/bash
# Runs once, on an empty data folder: Berth's roles and database, and Temporal's two databases.
set -euo pipefail

for name in BERTH_OWNER_PASSWORD BERTH_API_PASSWORD BERTH_WORKER_PASSWORD BERTH_ADMIN_PASSWORD TEMPORAL_PASSWORD; do
  [ -n "${!name:-}" ] || { echo "set $name in .env" >&2; exit 1; }
done

psql -v ON_ERROR_STOP=1 -U postgres -f /berth/roles.sql
psql -v ON_ERROR_STOP=1 -U postgres \
  -v owner="$BERTH_OWNER_PASSWORD" -v api="$BERTH_API_PASSWORD" -v worker="$BERTH_WORKER_PASSWORD" \
  -v admin="$BERTH_ADMIN_PASSWORD" -v temporal="$TEMPORAL_PASSWORD" <<'SQL'
alter role berth_owner password :'owner';
alter role berth_api password :'api';
alter role berth_worker password :'worker';
alter role berth_admin password :'admin';
create role temporal login password :'temporal';
create database berth owner berth_owner;
create database temporal owner temporal;
create database temporal_visibility owner temporal;
SQL
psql -v ON_ERROR_STOP=1 -U postgres -d berth -c 'alter schema public owner to berth_owner'
psql -v ON_ERROR_STOP=1 -U postgres -d temporal_visibility -c 'create extension if not exists btree_gin'
