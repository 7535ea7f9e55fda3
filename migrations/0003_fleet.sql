-- What there is to lease: catalog, machines, GPUs, and what probes found on them.

create table regions (
  name         text        constraint regions_pkey primary key constraint regions_name_shape check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  display_name text        not null,
  version      bigint      not null default 1,
  created_at   timestamptz not null default clock_timestamp(),
  updated_at   timestamptz not null default clock_timestamp()
);
comment on table regions is 'Places with machines.';
create trigger bump_version before update on regions for each row execute function bump_version();

create table skus (
  name              text        constraint skus_pkey primary key constraint skus_name_shape check (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
  region            text        not null constraint skus_region_fkey references regions (name),
  display_name      text        not null,
  gpu_model         text        not null,
  gpu_memory_bytes  bigint      not null constraint skus_memory_positive check (gpu_memory_bytes > 0),
  gpus_per_node     integer     not null constraint skus_gpus_positive check (gpus_per_node between 1 and 64),
  version           bigint      not null default 1,
  created_at        timestamptz not null default clock_timestamp(),
  updated_at        timestamptz not null default clock_timestamp(),
  retired_at        timestamptz
);
create trigger bump_version before update on skus for each row execute function bump_version();
comment on table skus is 'Sellable shapes: a GPU model in a region. An allocation asks for a number of GPUs of one SKU.';
comment on column skus.gpu_model is 'As nvidia-smi prints it; the preflight and acceptance probes compare.';
comment on column skus.retired_at is 'Set: no new allocations; running ones stay.';

create table nodes (
  id                      uuid        constraint nodes_pkey primary key,
  name                    text        not null constraint nodes_name_shape check (name ~ '^[a-z0-9][a-z0-9.-]{0,62}$'),
  sku                     text        not null constraint nodes_sku_fkey references skus (name),
  host                    text        not null constraint nodes_host_length check (char_length(host) between 1 and 253),
  port                    integer     not null constraint nodes_port_range check (port between 1 and 65535),
  host_key                text        not null,
  expected_gpu_count      integer     not null constraint nodes_gpus_range check (expected_gpu_count between 1 and 64),
  expected_driver_version text,
  driver_version          text,
  boot_id                 text,
  state                   text        not null default 'enrolled',
  state_reason            text,
  last_probed_at          timestamptz,
  version                 bigint      not null default 1,
  created_at              timestamptz not null default clock_timestamp(),
  updated_at              timestamptz not null default clock_timestamp(),
  constraint nodes_state_known check (state in ('enrolled', 'verifying', 'available', 'draining', 'maintenance', 'quarantined', 'retired'))
);
create unique index nodes_name_unique on nodes (name) where state <> 'retired';
create unique index nodes_address_unique on nodes (host, port) where state <> 'retired';
create index nodes_by_sku on nodes (sku, id) where state = 'available';
comment on table nodes is 'Machines, reached over SSH with certificates of Berth''s own CA.';
comment on column nodes.host is 'Address or name as given by the operator; judged again at every dial, never trusted for having been judged before.';
comment on column nodes.host_key is 'Pinned when the node was created; any other key ends the connection.';
comment on column nodes.state_reason is 'Why it is in a state that needs a reason (quarantined, maintenance).';

create table gpus (
  id           uuid        constraint gpus_pkey primary key,
  node_id      uuid        not null constraint gpus_node_fkey references nodes (id),
  gpu_index    integer     not null constraint gpus_index_range check (gpu_index between 0 and 63),
  uuid         text        not null constraint gpus_uuid_unique unique constraint gpus_uuid_shape check (uuid ~ '^GPU-[0-9a-f-]{36}$'),
  model        text        not null,
  memory_bytes bigint      not null constraint gpus_memory_positive check (memory_bytes > 0),
  state        text        not null default 'free',
  version      bigint      not null default 1,
  created_at   timestamptz not null default clock_timestamp(),
  updated_at   timestamptz not null default clock_timestamp(),
  constraint gpus_state_known check (state in ('free', 'reserved', 'held', 'cleaning', 'faulty')),
  constraint gpus_index_unique unique (node_id, gpu_index)
);
create index gpus_free on gpus (node_id) where state = 'free';
comment on table gpus is 'Physical GPUs as enrollment found them.';
comment on column gpus.gpu_index is 'Index on the machine: /dev/nvidia<index>.';

create table probe_reports (
  id            uuid        constraint probe_reports_pkey primary key,
  node_id       uuid        not null constraint probe_reports_node_fkey references nodes (id),
  allocation_id uuid,
  kind          text        not null constraint probe_reports_kind_known check (kind in ('enrollment', 'probe', 'preflight', 'acceptance', 'release')),
  passed        boolean     not null,
  findings      jsonb       not null default '[]' constraint probe_reports_findings_list check (jsonb_typeof(findings) = 'array'),
  report        jsonb       not null default '{}',
  created_at    timestamptz not null default clock_timestamp()
);
create index probe_reports_by_node on probe_reports (node_id, id desc);
comment on table probe_reports is 'What each probe of a node found.';
comment on column probe_reports.findings is 'List of {code, detail}: what was wrong.';
comment on column probe_reports.report is 'What was measured: GPUs, driver, boot id, disk.';

create trigger guard_state before update of state on nodes for each row execute function guard_state();
create trigger guard_state before update of state on gpus for each row execute function guard_state();
create trigger bump_version before update on nodes for each row execute function bump_version();
create trigger bump_version before update on gpus for each row execute function bump_version();

-- The machine room belongs to no tenant: the API reads it to show a tenant his own machines, and
-- writes it only for platform operators.
do $$ declare t text; begin
  foreach t in array array['nodes', 'gpus', 'probe_reports'] loop
    execute format('alter table %I enable row level security', t);
    execute format('alter table %I force row level security', t);
    execute format('create policy inside on %I to berth_owner, berth_worker, berth_admin using (true) with check (true)', t);
    execute format('create policy platform on %I to berth_api using (berth_platform()) with check (berth_platform())', t);
  end loop;
end $$;

grant select on regions, skus to berth_api;
grant select, insert, update on nodes, gpus to berth_api;
grant select on probe_reports to berth_api;
grant select, insert, update on regions, skus, nodes, gpus to berth_worker;
grant select, insert on probe_reports to berth_worker;
grant select, insert, update, delete on regions, skus, nodes, gpus, probe_reports to berth_admin;
