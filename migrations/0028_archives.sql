-- Partitions that have served their time leave the database for an object store, proved equal, and can
-- be brought back.

create table archives (
  id             uuid        constraint archives_pkey primary key,
  table_name     text        not null,
  partition_name text        not null constraint archives_partition_unique unique,
  since          timestamptz,
  until          timestamptz not null,
  row_count      bigint      not null constraint archives_rows_sound check (row_count >= 0),
  file_bytes     bigint      not null constraint archives_bytes_sound check (file_bytes > 0),
  rows_sha256    bytea       not null constraint archives_rows_digest_size check (octet_length(rows_sha256) = 32),
  file_sha256    bytea       not null constraint archives_file_digest_size check (octet_length(file_sha256) = 32),
  object_path    text        not null constraint archives_object_path_length check (octet_length(object_path) between 1 and 1024),
  manifest       jsonb       not null,
  verified_at    timestamptz not null default clock_timestamp(),
  dropped_at     timestamptz,
  held_until     timestamptz,
  version        bigint      not null default 1,
  created_at     timestamptz not null default clock_timestamp(),
  updated_at     timestamptz not null default clock_timestamp(),
  constraint archives_gone_or_held check (dropped_at is null or held_until is null)
);
comment on table archives is 'Partitions that were written to the object store and read back.';
comment on column archives.since is 'Null: the first partition, which held all that is older.';
comment on column archives.rows_sha256 is 'Over the binary COPY form of each row, in the order of ids.';
comment on column archives.object_path is 'Of the file, below archives/; the manifest lies beside it.';
comment on column archives.manifest is 'What was signed; the object store has the same.';
comment on column archives.verified_at is 'When the file was last read back, and was right.';
comment on column archives.dropped_at is 'When the partition left the database; null: it is there.';
comment on column archives.held_until is 'Until when a partition that was brought back stays.';
create index archives_by_table on archives (table_name, until);
create trigger bump_version before update on archives for each row execute function bump_version();
alter table archives enable row level security;
alter table archives force row level security;
create policy platform on archives to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on archives to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select on archives to berth_api, berth_worker, berth_admin;
grant update (verified_at) on archives to berth_worker;

-- What is nowhere else any more is not written over, and what is known of it is not forgotten.
create function guard_archive() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.dropped_at is not null and (
       row (old.id, old.table_name, old.partition_name, old.since, old.until, old.row_count, old.file_bytes, old.rows_sha256,
            old.file_sha256, old.object_path, old.manifest)
         is distinct from
       row (new.id, new.table_name, new.partition_name, new.since, new.until, new.row_count, new.file_bytes, new.rows_sha256,
            new.file_sha256, new.object_path, new.manifest)
       or new.dropped_at is null and not exists (select from table_partitions where name = old.partition_name)) then
    raise exception 'the partition % is nowhere but in its archive', old.partition_name
      using errcode = 'BT005', constraint = 'archives_are_kept', table = 'archives';
  end if;
  return new;
end $$;
create trigger guard_archive before update or delete on archives for each row execute function guard_archive();
create trigger refuse_truncate before truncate on archives for each statement execute function refuse_change();

-- What the rows of an archive add up to, for whoever has to reckon with all there ever was.
create table archived_usage (
  archive_id        uuid    not null constraint archived_usage_archive_fkey references archives (id),
  interval_id       uuid    not null,
  used_microseconds numeric not null,
  constraint archived_usage_pkey primary key (archive_id, interval_id)
);
comment on table archived_usage is 'GPU microseconds of each interval in archived partitions of usage_records.';
create index archived_usage_by_interval on archived_usage (interval_id);
create table archived_entries (
  archive_id    uuid    not null constraint archived_entries_archive_fkey references archives (id),
  org_id        uuid    not null,
  account       text    not null,
  currency      text    not null,
  amount_micros numeric not null,
  constraint archived_entries_pkey primary key (archive_id, org_id, account, currency)
);
comment on table archived_entries is 'Sums of each account in archived partitions of ledger_entries.';
create function guard_archived_sum() returns trigger language plpgsql as $$
begin
  if exists (select from archives where id = coalesce(old.archive_id, new.archive_id) and dropped_at is not null) then
    raise exception 'the rows that this adds up are nowhere but in their archive'
      using errcode = 'BT005', constraint = 'archives_are_kept', table = tg_table_name;
  end if;
  return coalesce(new, old);
end $$;
do $$
declare
  one text;
begin
  foreach one in array array['archived_usage', 'archived_entries'] loop
    execute format('create trigger guard_archived_sum before insert or update or delete on %I for each row execute function guard_archived_sum()', one);
    execute format('create trigger refuse_truncate before truncate on %I for each statement execute function refuse_change()', one);
    execute format('alter table %I enable row level security', one);
    execute format('alter table %I force row level security', one);
    execute format('create policy inside on %I to berth_owner, berth_worker, berth_admin using (true) with check (true)', one);
    execute format('grant select on %I to berth_worker, berth_admin', one);
  end loop;
end $$;

-- Writes down what the rows of a partition add up to.
create function archive_add_up(archive uuid) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  kept archives := (select a from archives a where id = archive);
begin
  delete from archived_usage where archive_id = archive;
  delete from archived_entries where archive_id = archive;
  if kept.table_name = 'usage_records' then
    execute format('insert into archived_usage
      select $1, interval_id, sum(quantity * microseconds(ended_at - started_at)) from %I group by interval_id', kept.partition_name) using archive;
  elsif kept.table_name = 'ledger_entries' then
    execute format('insert into archived_entries
      select $1, org_id, account, currency, sum(amount_micros) from %I group by org_id, account, currency', kept.partition_name) using archive;
  end if;
end $$;

create view archived_partitions with (security_invoker = true) as
  select a.* from archives a
  where not exists (select from table_partitions p where p.name = a.partition_name and not p.detaching);
comment on view archived_partitions is 'Archives whose rows are not in their tables.';
grant select on archived_partitions to berth_api, berth_worker, berth_admin;

-- Whoever reads some of a table may know up to where it is not all there.
create function archived_until(of_table text) returns timestamptz
language sql stable security definer set search_path = public, pg_temp as $$
  select max(until) from archived_partitions where table_name = of_table
$$;
revoke execute on function archived_until from public;
grant execute on function archived_until to berth_api, berth_worker, berth_admin;

alter table maintenances drop constraint maintenances_task_known;
alter table maintenances add constraint maintenances_task_known check (task in ('maintain', 'convert', 'restore', 'verify'));
alter table maintenances add column archive_id uuid constraint maintenances_archive_fkey references archives (id);
alter table maintenances add constraint maintenances_archive_of_task check ((archive_id is not null) = (task in ('restore', 'verify')));
comment on column maintenances.archive_id is 'What is brought back, or read.';

-- What was marked and did not go: whoever takes it out by hand later keeps it.
create function partition_unmark(target regclass) returns void
language plpgsql set search_path = public, pg_temp as $$
begin
  if exists (select from table_partitions where relid = target and not detaching) then
    execute format('comment on table %s is null', target);
  end if;
end $$;

-- Money, use and the audit log do not leave the database unless they were archived.
create or replace function partition_drop(target regclass, patience interval) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  dropped text := (select relname from pg_class where oid = target);
begin
  perform set_config('lock_timeout', (extract(epoch from patience) * 1000)::integer || 'ms', true);
  if exists (select from pg_class where oid = target and relispartition)
    or obj_description(target, 'pg_class') is distinct from 'berth: has served its time' then
    raise exception '% is no detached partition', target using errcode = 'BT005', constraint = 'partition_detached';
  end if;
  if dropped ~ '^(usage_records|ledger_entries|audit_logs)_' and not exists (select from archives where partition_name = dropped) then
    raise exception '% was not archived', target using errcode = 'BT005', constraint = 'partition_archived';
  end if;
  call partition_lock_referenced(target, patience);
  execute format('drop table %s', target);
  update archives set dropped_at = clock_timestamp(), held_until = null where partition_name = dropped;
end $$;

-- The table that an archive comes back into, before it is a partition. What is left of an earlier try
-- is thrown away.
create function partition_restore_begin(target regclass, restored name, since timestamptz, until timestamptz, patience interval) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  parent text := (select relname from pg_class where oid = target and relkind = 'p');
  left_over regclass := to_regclass(quote_ident(restored));
begin
  perform set_config('lock_timeout', '60s', true);
  if left_over is not null then
    if obj_description(left_over, 'pg_class') is distinct from 'berth: being restored' then
      raise exception 'there is a table % already', restored using errcode = 'BT005', constraint = 'partition_restored';
    end if;
    call partition_lock_referenced(left_over, patience);
    execute format('drop table %s', left_over);
  end if;
  execute format('create table %I (like %I including defaults including constraints including comments including storage including indexes)', restored, parent);
  execute format('comment on table %I is %L', restored, 'berth: being restored');
  -- So that attaching it reads no row.
  execute format('alter table %I add constraint partition_bound check (created_at < %L and (%L::timestamptz is null or created_at >= %L))',
                 restored, until, since, since);
end $$;

-- The foreign keys come after the rows: whoever writes under one locks a row for each.
create function partition_restore_link(target regclass, restored name, patience interval) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  one record;
begin
  call partition_lock_referenced(target, patience);
  for one in select conname, pg_get_constraintdef(oid) as definition from pg_constraint where conrelid = target and contype = 'f' loop
    execute format('alter table %I add constraint %I %s not valid', restored, one.conname, one.definition);
  end loop;
end $$;

-- Reads every row, under no lock that a writer of another table waits for.
create function partition_restore_prove(restored name) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  one record;
begin
  for one in select conname from pg_constraint where conrelid = quote_ident(restored)::regclass and contype = 'f' and not convalidated loop
    execute format('alter table %I validate constraint %I', restored, one.conname);
  end loop;
end $$;

create function partition_restore_end(target regclass, restored name, since timestamptz, until timestamptz, held interval, patience interval) returns void
language plpgsql set search_path = public, pg_temp as $$
declare
  parent text := (select relname from pg_class where oid = target and relkind = 'p');
begin
  perform set_config('lock_timeout', '60s', true);
  execute format('lock table only %s in share update exclusive mode', target);
  call partition_dress(target, quote_ident(restored)::regclass, false);
  call partition_lock_referenced(target, patience);
  execute format('alter table %I attach partition %I for values from (%s) to (%L)', parent, restored,
                 coalesce(quote_literal(since), 'minvalue'), until);
  execute format('alter table %I drop constraint partition_bound', restored);
  execute format('comment on table %I is null', restored);
  update archives set dropped_at = null, held_until = clock_timestamp() + held where partition_name = restored;
end $$;

revoke execute on function partition_drop, partition_unmark, partition_restore_begin, partition_restore_link, partition_restore_prove, partition_restore_end, guard_archive, guard_archived_sum, archive_add_up from public;
