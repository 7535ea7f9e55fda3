-- What policies say carries one version. Every API process holds a copy of it in memory and reads
-- it anew when the version has moved; what was changed, by whom and when, is kept.

create table policy_state (
  singleton boolean constraint policy_state_pkey primary key default true constraint policy_state_one_row check (singleton),
  version   bigint  not null default 1
);
comment on table policy_state is 'One row. Its version grows with every change of a policy or a policy value, in the change''s own transaction.';
insert into policy_state default values;

create table authorization_policies (
  id         uuid        constraint authorization_policies_pkey primary key,
  org_id     uuid        constraint authorization_policies_org_fkey references organizations (id),
  name       text        not null constraint authorization_policies_name_length check (char_length(name) between 1 and 128),
  policy     text        not null constraint authorization_policies_policy_length check (octet_length(policy) between 1 and 8192),
  updated_by uuid,
  version    bigint      not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  deleted_at timestamptz
);
create unique index authorization_policies_name_unique on authorization_policies (org_id, name) nulls not distinct where deleted_at is null;
create index authorization_policies_org on authorization_policies (org_id, id);
comment on table authorization_policies is 'Rules that operators add to the built-in ones, one Cedar policy a row.';
comment on column authorization_policies.org_id is 'Whose requests it is about; null: everybody''s.';
comment on column authorization_policies.policy is 'Validated against the schema in api/policies when written and again when loaded.';
create trigger bump_version before update on authorization_policies for each row execute function bump_version();
call protect_tenant_rows('authorization_policies');

create table policy_changes (
  version    bigint      constraint policy_changes_pkey primary key,
  kind       text        not null constraint policy_changes_kind_known check (kind in ('value', 'authorization')),
  subject    text        not null,
  org_id     uuid,
  scope_kind text        not null,
  scope_id   uuid,
  content    jsonb,
  changed_by uuid,
  changed_at timestamptz not null default clock_timestamp()
);
create index policy_changes_by_subject on policy_changes (subject, version desc);
comment on table policy_changes is 'One row for each version of policy_state: what was changed, by whom, and what it is since.';
comment on column policy_changes.subject is 'The key of a value, the id of an authorization policy.';
comment on column policy_changes.content is 'What holds from this version on; null: it was taken away.';
call protect_tenant_rows('policy_changes');
create trigger refuse_change before update or delete or truncate on policy_changes for each statement execute function refuse_change();

-- Whoever writes a policy, by whatever way, moves the version and leaves a trace. The row of
-- policy_state is held until commit, so that versions become visible in their order.
create function note_policy_change() returns trigger language plpgsql security definer set search_path = public as $$
declare
  now_at bigint;
  gone   boolean := tg_op = 'DELETE';
begin
  update policy_state set version = version + 1 returning version into now_at;
  if tg_table_name = 'policy_values' then
    if gone then
      insert into policy_changes (version, kind, subject, org_id, scope_kind, scope_id)
      values (now_at, 'value', old.key, case old.scope_kind when 'organization' then old.scope_id end, old.scope_kind, old.scope_id);
    else
      insert into policy_changes (version, kind, subject, org_id, scope_kind, scope_id, content, changed_by)
      values (now_at, 'value', new.key, case new.scope_kind when 'organization' then new.scope_id end, new.scope_kind, new.scope_id, new.value, new.updated_by);
    end if;
  elsif gone then
    insert into policy_changes (version, kind, subject, org_id, scope_kind, scope_id)
    values (now_at, 'authorization', old.id::text, old.org_id, case when old.org_id is null then 'platform' else 'organization' end, old.org_id);
  else
    insert into policy_changes (version, kind, subject, org_id, scope_kind, scope_id, content, changed_by)
    values (now_at, 'authorization', new.id::text, new.org_id, case when new.org_id is null then 'platform' else 'organization' end, new.org_id,
            case when new.deleted_at is null then jsonb_build_object('name', new.name, 'policy', new.policy) end, new.updated_by);
  end if;
  return null;
end $$;
create trigger note_policy_change after insert or update or delete on policy_values for each row execute function note_policy_change();
create trigger note_policy_change after insert or update or delete on authorization_policies for each row execute function note_policy_change();

grant select on policy_state to berth_api, berth_worker, berth_admin;
grant select, insert, update on authorization_policies to berth_api;
grant select on authorization_policies to berth_worker;
grant select, insert, update, delete on authorization_policies to berth_admin;
grant select on policy_changes to berth_api, berth_worker, berth_admin;
