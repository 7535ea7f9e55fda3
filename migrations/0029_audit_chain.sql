-- The audit log is sealed after the commit: a chain of hashes for each organization, whose heads are
-- signed and kept outside the database.

do $$
begin
  if exists (select from archived_partitions where table_name = 'audit_logs') then
    raise exception 'entries of the audit log are in archives alone, and could not be sealed'
      using hint = 'Bring them back first: berth partition archives --table audit_logs, berth partition restore.';
  end if;
end $$;

create table audit_unsealed (
  audit_id   uuid        constraint audit_unsealed_pkey primary key,
  created_at timestamptz not null
);
comment on table audit_unsealed is 'Entries of the audit log that are in no chain yet. Nobody but the log itself adds to it.';
alter table audit_unsealed enable row level security;
alter table audit_unsealed force row level security;
create policy platform on audit_unsealed to berth_api using (berth_platform());
create policy inside on audit_unsealed to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select on audit_unsealed to berth_api, berth_worker, berth_admin;
grant delete on audit_unsealed to berth_worker;

create function audit_queue() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  insert into audit_unsealed select id, created_at from added;
  return null;
end $$;
revoke execute on function audit_queue from public;
create trigger await_seal after insert on audit_logs referencing new table as added
  for each statement execute function audit_queue();
insert into audit_unsealed select id, created_at from audit_logs;
analyze audit_unsealed;

create table audit_links (
  org_id   uuid   not null,
  seq      bigint not null constraint audit_links_seq_sound check (seq > 0),
  audit_id uuid   not null constraint audit_links_entry_unique unique,
  hash     bytea  not null constraint audit_links_hash_size check (octet_length(hash) = 32),
  constraint audit_links_pkey primary key (org_id, seq)
);
comment on table audit_links is 'The place of each entry of the audit log in the chain of its organization.';
comment on column audit_links.org_id is 'All zeros: entries of no organization.';
comment on column audit_links.hash is 'SHA-256 over the place, the hash before it and the entry (RFC 8785).';
call protect_tenant_rows('audit_links');
create trigger refuse_change before update or delete or truncate on audit_links for each statement execute function refuse_change();
create function audit_links_follow() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  if exists (select from added a where a.seq > 1 and not exists (
               select from audit_links p where p.org_id = a.org_id and p.seq = a.seq - 1)) then
    raise exception 'a link is missing' using errcode = 'BT005', constraint = 'audit_links_have_no_gap', table = 'audit_links';
  end if;
  return null;
end $$;
create trigger follow after insert on audit_links referencing new table as added
  for each statement execute function audit_links_follow();
grant select on audit_links to berth_api, berth_worker, berth_admin;
grant insert on audit_links to berth_worker;

create table audit_heads (
  org_id     uuid        constraint audit_heads_pkey primary key,
  seq        bigint      not null constraint audit_heads_seq_sound check (seq > 0),
  hash       bytea       not null constraint audit_heads_hash_size check (octet_length(hash) = 32),
  signed_seq bigint      not null default 0 constraint audit_heads_signed_sound check (signed_seq between 0 and seq),
  moved_at   timestamptz not null default clock_timestamp()
);
comment on table audit_heads is 'How far each chain is.';
comment on column audit_heads.signed_seq is 'How far it was when its head was signed last.';
comment on column audit_heads.moved_at is 'Since when it is further than that; where it is not, when it was signed.';
call protect_tenant_rows('audit_heads');
create function guard_audit_head() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or new.org_id <> old.org_id or new.seq < old.seq or new.signed_seq < old.signed_seq
     or (new.seq = old.seq and new.hash <> old.hash) then
    raise exception 'a chain does not get shorter' using errcode = 'BT005', constraint = 'audit_heads_only_grow', table = 'audit_heads';
  end if;
  return new;
end $$;
create trigger guard_audit_head before update or delete on audit_heads for each row execute function guard_audit_head();
create trigger refuse_truncate before truncate on audit_heads for each statement execute function refuse_change();
grant select on audit_heads to berth_api, berth_worker, berth_admin;
grant insert, update on audit_heads to berth_worker;

create table audit_checkpoints (
  number      bigint      constraint audit_checkpoints_pkey primary key constraint audit_checkpoints_number_sound check (number > 0),
  object_path text        not null constraint audit_checkpoints_object_path_length check (octet_length(object_path) between 1 and 1024),
  sha256      bytea       not null constraint audit_checkpoints_digest_size check (octet_length(sha256) = 32),
  head_count  integer     not null constraint audit_checkpoints_heads_sound check (head_count > 0),
  created_at  timestamptz not null default clock_timestamp()
);
comment on table audit_checkpoints is 'Signed heads of chains that were exported to the object store.';
comment on column audit_checkpoints.object_path is 'Below audit-heads/.';
alter table audit_checkpoints enable row level security;
alter table audit_checkpoints force row level security;
create policy platform on audit_checkpoints to berth_api using (berth_platform());
create policy inside on audit_checkpoints to berth_owner, berth_worker, berth_admin using (true) with check (true);
create trigger refuse_change before update or delete or truncate on audit_checkpoints for each statement execute function refuse_change();
grant select on audit_checkpoints to berth_api, berth_worker, berth_admin;
grant insert on audit_checkpoints to berth_worker;

-- A run of the maintenance may prove the chains.
alter table maintenances drop constraint maintenances_task_known;
alter table maintenances add constraint maintenances_task_known check (task in ('maintain', 'convert', 'restore', 'verify', 'audit'));
