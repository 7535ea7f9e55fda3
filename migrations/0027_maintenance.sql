-- Looking after the tables that only grow: each run, and how large they were.

create table maintenances (
  id           uuid        constraint maintenances_pkey primary key,
  task         text        not null constraint maintenances_task_known check (task in ('maintain', 'convert')),
  only_table   text,
  reason       text        not null constraint maintenances_reason_length check (char_length(reason) between 1 and 500),
  requested_by uuid,
  workflow_id  text        not null,
  outcome      text        constraint maintenances_outcome_known check (outcome in ('succeeded', 'failed')),
  report       jsonb       not null default '[]',
  version      bigint      not null default 1,
  created_at   timestamptz not null default clock_timestamp(),
  updated_at   timestamptz not null default clock_timestamp(),
  ended_at     timestamptz,
  constraint maintenances_end_has_outcome check ((ended_at is null) = (outcome is null))
);
create unique index maintenances_one_under_way on maintenances ((true)) where ended_at is null;
comment on table maintenances is 'Runs that look after the tables that only grow; one at a time.';
comment on column maintenances.only_table is 'Null: all of them.';
comment on column maintenances.report is 'What was done to each table.';
create trigger bump_version before update on maintenances for each row execute function bump_version();
alter table maintenances enable row level security;
alter table maintenances force row level security;
create policy platform on maintenances to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on maintenances to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select, insert on maintenances to berth_api;
grant select, insert, update on maintenances to berth_worker;
grant select on maintenances to berth_admin;

create table data_growth_samples (
  table_name text        not null,
  sampled_at timestamptz not null default clock_timestamp(),
  row_count  bigint      not null,
  byte_count bigint      not null,
  constraint data_growth_samples_pkey primary key (table_name, sampled_at)
);
comment on table data_growth_samples is 'How large the tables that only grow were; growth is told from it.';
alter table data_growth_samples enable row level security;
alter table data_growth_samples force row level security;
create policy platform on data_growth_samples to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on data_growth_samples to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select on data_growth_samples to berth_api, berth_worker, berth_admin;
grant insert, delete on data_growth_samples to berth_worker;

create or replace view workflow_owners with (security_invoker = true) as
  select 'Allocation' as workflow_type, a.id, a.org_id, a.updated_at as moved_at, null::text as workflow_id
  from allocations a where a.state not in ('released', 'failed')
  union all
  select 'NodeEnrollment', o.resource_id, null, max(o.updated_at), null
  from operations o where o.resource_kind = 'node' and o.state in ('pending', 'running')
  group by o.resource_id
  union all
  select 'BillingRun', r.id, r.org_id, r.updated_at, r.workflow_id
  from billing_runs r where r.ended_at is null
  union all
  select 'KeyRotation', k.id, null, k.updated_at, k.workflow_id
  from rotations k where k.ended_at is null
  union all
  select 'BalanceGuard', b.org_id, b.org_id, b.updated_at, null
  from billing_accounts b where b.terms = 'prepaid'
    and exists (select from usage_intervals i where i.org_id = b.org_id and upper_inf(i.period))
  union all
  select 'PartitionMaintenance', m.id, null, m.updated_at, m.workflow_id
  from maintenances m where m.ended_at is null;
comment on view workflow_owners is 'Rows whose workflow has to run: allocations that have not ended, nodes with an open operation, billing runs, rotations and maintenance under way, prepaid accounts with something running. moved_at: when the row last moved. workflow_id: null where the row''s id says it.';
