-- How many GPUs of a SKU an organization or a project may have, and what anybody may know about
-- the room there is.

create table quotas (
  id         uuid        constraint quotas_pkey primary key,
  org_id     uuid        not null constraint quotas_org_fkey references organizations (id),
  project_id uuid        constraint quotas_project_fkey references projects (id),
  sku        text        not null constraint quotas_sku_fkey references skus (name),
  gpus_max   integer     not null constraint quotas_gpus_range check (gpus_max between 0 and 100000),
  updated_by uuid,
  version    bigint      not null default 1,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  constraint quotas_one_each unique nulls not distinct (org_id, project_id, sku)
);
comment on table quotas is 'GPUs of a SKU that the live allocations of an organization or a project may have together. No row: no limit but the policies.';
comment on column quotas.project_id is 'The project whose quota it is; null: the whole organization''s.';
create trigger bump_version before update on quotas for each row execute function bump_version();
alter table quotas enable row level security;
alter table quotas force row level security;
create policy organization on quotas for select to berth_api using (org_id = berth_org());
create policy platform on quotas to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on quotas to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select, insert, update, delete on quotas to berth_api, berth_admin;
grant select on quotas to berth_worker;

create index allocations_of_organization_by_sku on allocations (org_id, sku)
  where state not in ('requested', 'released', 'failed');

create view sku_room with (security_barrier) as
  select s.name as sku,
         coalesce((select max(free) from (
           select count(*) as free from nodes n join gpus g on g.node_id = n.id
           where n.sku = s.name and n.state = 'available' and g.state = 'free'
           group by n.id) as each), 0) as most_free_on_a_node,
         (select count(*) from allocations a where a.sku = s.name and a.state = 'queued') as queued_allocations
  from skus s;
comment on view sku_room is 'What every tenant may know about capacity: how much one machine could give at once, and how many wait.';
grant select on sku_room to berth_api;
