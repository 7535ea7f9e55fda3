-- Functions that every later table leans on.

create extension if not exists btree_gist;

-- The organization of this transaction, set by `db::scope::organization`. Unset: no row matches.
create function berth_org() returns uuid language sql stable as
$$ select nullif(current_setting('berth.org_id', true), '')::uuid $$;

-- Whether this transaction acts for a platform operator, set by `db::scope::platform`.
create function berth_platform() returns boolean language sql stable as
$$ select coalesce(current_setting('berth.platform', true), '') = 'on' $$;

-- The millisecond that a UUIDv7 carries (RFC 9562, section 5.7).
create function uuid_v7_at(id uuid) returns timestamptz language sql immutable strict as
$$ select to_timestamp(('x' || lpad(left(replace(id::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0::double precision) $$;

-- Every legal change of state, as in `domain::state`; a test compares the two.
create table state_transitions (
  entity     text not null,
  from_state text not null,
  to_state   text not null,
  constraint state_transitions_pkey primary key (entity, from_state, to_state)
);
comment on table state_transitions is 'Legal state changes; the trigger guard_state refuses all others.';

insert into state_transitions values
  ('allocations', 'requested', 'queued'), ('allocations', 'requested', 'releasing'), ('allocations', 'requested', 'failed'),
  ('allocations', 'queued', 'provisioning'), ('allocations', 'queued', 'releasing'), ('allocations', 'queued', 'failed'),
  ('allocations', 'provisioning', 'active'), ('allocations', 'provisioning', 'queued'),
  ('allocations', 'provisioning', 'releasing'), ('allocations', 'provisioning', 'failed'),
  ('allocations', 'provisioning', 'release_failed'),
  ('allocations', 'active', 'degraded'), ('allocations', 'active', 'releasing'),
  ('allocations', 'degraded', 'active'), ('allocations', 'degraded', 'releasing'),
  ('allocations', 'releasing', 'released'), ('allocations', 'releasing', 'release_failed'),
  ('allocations', 'release_failed', 'releasing'),
  ('gpus', 'free', 'reserved'), ('gpus', 'free', 'faulty'),
  ('gpus', 'reserved', 'held'), ('gpus', 'reserved', 'cleaning'), ('gpus', 'reserved', 'free'), ('gpus', 'reserved', 'faulty'),
  ('gpus', 'held', 'cleaning'), ('gpus', 'held', 'faulty'),
  ('gpus', 'cleaning', 'free'), ('gpus', 'cleaning', 'faulty'),
  ('gpus', 'faulty', 'free'),
  ('nodes', 'enrolled', 'verifying'), ('nodes', 'enrolled', 'retired'),
  ('nodes', 'verifying', 'available'), ('nodes', 'verifying', 'quarantined'), ('nodes', 'verifying', 'retired'),
  ('nodes', 'available', 'verifying'), ('nodes', 'available', 'draining'), ('nodes', 'available', 'maintenance'),
  ('nodes', 'available', 'quarantined'), ('nodes', 'available', 'retired'),
  ('nodes', 'draining', 'verifying'), ('nodes', 'draining', 'available'), ('nodes', 'draining', 'maintenance'),
  ('nodes', 'draining', 'quarantined'), ('nodes', 'draining', 'retired'),
  ('nodes', 'maintenance', 'verifying'), ('nodes', 'maintenance', 'available'),
  ('nodes', 'maintenance', 'quarantined'), ('nodes', 'maintenance', 'retired'),
  ('nodes', 'quarantined', 'verifying'), ('nodes', 'quarantined', 'maintenance'), ('nodes', 'quarantined', 'retired'),
  ('operations', 'pending', 'running'), ('operations', 'pending', 'succeeded'), ('operations', 'pending', 'failed'),
  ('operations', 'pending', 'cancelled'),
  ('operations', 'running', 'succeeded'), ('operations', 'running', 'failed'), ('operations', 'running', 'cancelled'),
  ('operation_steps', 'pending', 'running'), ('operation_steps', 'pending', 'succeeded'), ('operation_steps', 'pending', 'failed'), ('operation_steps', 'pending', 'skipped'),
  ('operation_steps', 'running', 'succeeded'), ('operation_steps', 'running', 'failed'), ('operation_steps', 'running', 'skipped'),
  ('operation_steps', 'failed', 'running'), ('operation_steps', 'failed', 'succeeded'),
  ('operation_steps', 'succeeded', 'running');

-- Refuses a change of `state` that the table above does not hold. The SQLSTATE is our own
-- (class BT), so that `db::error` tells it from any other failure.
create function guard_state() returns trigger language plpgsql as $$
begin
  if new.state <> old.state and not exists (
    select from state_transitions t
    where t.entity = tg_table_name and t.from_state = old.state and t.to_state = new.state
  ) then
    raise exception 'illegal transition of %: % -> %', tg_table_name, old.state, new.state
      using errcode = 'BT001', constraint = tg_table_name || '_transition', table = tg_table_name;
  end if;
  return new;
end $$;

-- Every update is a new version: the ETag of the REST resource.
create function bump_version() returns trigger language plpgsql as $$
begin
  new.version := old.version + 1;
  new.updated_at := clock_timestamp();
  return new;
end $$;

-- Append-only tables refuse change for everybody, their owner included.
create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name
    using errcode = 'BT002', constraint = tg_table_name || '_append_only', table = tg_table_name;
end $$;

-- Puts a tenant's table under forced row-level security: the API sees the organization of its
-- transaction (or all of them for a platform operator), the other roles see every row.
create procedure protect_tenant_rows(tenant_table regclass) language plpgsql as $$
begin
  execute format('alter table %s enable row level security', tenant_table);
  execute format('alter table %s force row level security', tenant_table);
  execute format('create policy organization on %s to berth_api
                    using (org_id = berth_org() or berth_platform())
                    with check (org_id = berth_org() or berth_platform())', tenant_table);
  execute format('create policy inside on %s to berth_owner, berth_worker, berth_admin
                    using (true) with check (true)', tenant_table);
end $$;

grant select on state_transitions to berth_api, berth_worker, berth_admin;
