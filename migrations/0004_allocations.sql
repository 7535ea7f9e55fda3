-- The main thing: who holds which GPUs, what was asked for, and how far it has come.

create table allocations (
  id                    uuid        constraint allocations_pkey primary key,
  org_id                uuid        not null constraint allocations_org_fkey references organizations (id),
  project_id            uuid        not null constraint allocations_project_fkey references projects (id),
  created_by            uuid        not null constraint allocations_creator_fkey references users (id),
  name                  text        not null constraint allocations_name_length check (char_length(name) between 1 and 128),
  sku                   text        not null constraint allocations_sku_fkey references skus (name),
  gpu_count             integer     not null constraint allocations_gpus_range check (gpu_count between 1 and 64),
  node_count            integer     not null default 1 constraint allocations_nodes_one check (node_count = 1),
  labels                jsonb       not null default '{}' constraint allocations_labels_object check (jsonb_typeof(labels) = 'object'),
  state                 text        not null default 'requested',
  state_reason          text,
  queue_timeout_seconds integer     not null constraint allocations_queue_timeout_range check (queue_timeout_seconds >= 0),
  queued_at             timestamptz,
  lease_seconds         integer     not null constraint allocations_lease_positive check (lease_seconds > 0),
  lease_ends_at         timestamptz,
  release_requested_at  timestamptz,
  release_reason        text        constraint allocations_release_reason_known check (release_reason in
                          ('user_request', 'cancelled', 'lease_expired', 'operator')),
  attempts              integer     not null default 0,
  version               bigint      not null default 1,
  created_at            timestamptz not null default clock_timestamp(),
  updated_at            timestamptz not null default clock_timestamp(),
  active_at             timestamptz,
  ended_at              timestamptz,
  constraint allocations_state_known check (state in
    ('requested', 'queued', 'provisioning', 'active', 'degraded', 'releasing', 'released', 'failed', 'release_failed')),
  constraint allocations_release_has_reason check ((release_requested_at is null) = (release_reason is null)),
  constraint allocations_active_has_lease check (state not in ('active', 'degraded') or lease_ends_at is not null)
);
create index allocations_by_org on allocations (org_id, id desc);
create index allocations_queue on allocations (sku, queued_at, id) where state = 'queued';
create index allocations_live on allocations (state) where state not in ('released', 'failed');
comment on table allocations is 'Tenants'' holds on GPUs. Only the workflow allocation/{id} changes state.';
comment on column allocations.state_reason is 'Stable code of why: no_capacity, probe_failed, user_request …';
comment on column allocations.queue_timeout_seconds is 'How long it may wait in the queue; 0: fail at once.';
comment on column allocations.queued_at is 'When it joined the queue, which is its place in it; kept when it comes back from a bad node.';
comment on column allocations.release_requested_at is 'The wish to end it, and the instant at which its usage ends.';
comment on column allocations.attempts is 'How many nodes were tried; three at most.';
call protect_tenant_rows('allocations');

create table allocation_ssh_keys (
  allocation_id uuid not null constraint allocation_ssh_keys_allocation_fkey references allocations (id),
  ssh_key_id    uuid not null constraint allocation_ssh_keys_key_fkey references ssh_keys (id),
  org_id        uuid not null,
  constraint allocation_ssh_keys_pkey primary key (allocation_id, ssh_key_id)
);
comment on table allocation_ssh_keys is 'Public keys that may log in to an allocation.';
call protect_tenant_rows('allocation_ssh_keys');

create table allocation_nodes (
  allocation_id uuid        not null constraint allocation_nodes_allocation_fkey references allocations (id),
  attempt       integer     not null,
  node_id       uuid        not null constraint allocation_nodes_node_fkey references nodes (id),
  org_id        uuid        not null,
  touched_at    timestamptz,
  receipt       jsonb,
  created_at    timestamptz not null default clock_timestamp(),
  released_at   timestamptz,
  constraint allocation_nodes_pkey primary key (allocation_id, attempt)
);
create unique index allocation_nodes_live on allocation_nodes (allocation_id) where released_at is null;
create index allocation_nodes_by_node on allocation_nodes (node_id) where released_at is null;
comment on table allocation_nodes is 'Machines that an allocation was given, one row a try.';
comment on column allocation_nodes.touched_at is 'Set before the first effect on the machine: from then on its removal must be proved.';
comment on column allocation_nodes.receipt is 'Acceptance probe: what the tenant was handed.';
call protect_tenant_rows('allocation_nodes');

create table allocation_gpus (
  allocation_id uuid        not null constraint allocation_gpus_allocation_fkey references allocations (id),
  attempt       integer     not null,
  gpu_id        uuid        not null constraint allocation_gpus_gpu_fkey references gpus (id),
  org_id        uuid        not null,
  created_at    timestamptz not null default clock_timestamp(),
  released_at   timestamptz,
  constraint allocation_gpus_pkey primary key (allocation_id, attempt, gpu_id)
);
-- Invariant 1: a GPU is never held by two live allocations.
create unique index allocation_gpus_one_holder on allocation_gpus (gpu_id) where released_at is null;
comment on table allocation_gpus is 'Which GPUs an allocation holds or held.';
call protect_tenant_rows('allocation_gpus');

create table operations (
  id                  uuid        constraint operations_pkey primary key,
  seq                 bigint      generated always as identity,
  org_id              uuid        constraint operations_org_fkey references organizations (id),
  kind                text        not null constraint operations_kind_shape check (kind ~ '^[a-z_]+\.[a-z_]+$'),
  resource_kind       text        not null,
  resource_id         uuid        not null,
  workflow_id         text        not null,
  workflow_run_id     text,
  requested_by        uuid,
  params              jsonb       not null default '{}',
  state               text        not null default 'pending',
  error               jsonb,
  deadline_at         timestamptz not null,
  cancel_requested_at timestamptz,
  version             bigint      not null default 1,
  created_at          timestamptz not null default clock_timestamp(),
  updated_at          timestamptz not null default clock_timestamp(),
  ended_at            timestamptz,
  constraint operations_state_known check (state in ('pending', 'running', 'succeeded', 'failed', 'cancelled')),
  constraint operations_error_with_failure check ((state = 'failed') = (error is not null))
);
create index operations_by_resource on operations (resource_id, seq);
create index operations_open on operations (deadline_at) where state in ('pending', 'running');
create index operations_by_org on operations (org_id, id desc);
comment on table operations is 'Asynchronous changes that somebody asked for; also the orders an allocation''s workflow works off, by seq.';
comment on column operations.org_id is 'Null for platform work (node enrollment).';
comment on column operations.params is 'What was asked, ids and numbers only.';
comment on column operations.deadline_at is 'An operation still open after this is stuck: a condition, an alert and an operator''s page.';
call protect_tenant_rows('operations');

create table operation_steps (
  operation_id uuid        not null constraint operation_steps_operation_fkey references operations (id),
  position     integer     not null,
  org_id       uuid,
  name         text        not null,
  state        text        not null default 'pending',
  attempt      integer     not null default 0,
  detail       text,
  started_at   timestamptz,
  ended_at     timestamptz,
  constraint operation_steps_pkey primary key (operation_id, name),
  constraint operation_steps_state_known check (state in ('pending', 'running', 'succeeded', 'failed', 'skipped'))
);
comment on table operation_steps is 'The steps of an operation, each written by the activity that does it.';
call protect_tenant_rows('operation_steps');

create table usage_intervals (
  id            uuid        constraint usage_intervals_pkey primary key,
  org_id        uuid        not null,
  project_id    uuid        not null,
  allocation_id uuid        not null constraint usage_intervals_allocation_fkey references allocations (id),
  meter         text        not null constraint usage_intervals_meter_known check (meter in ('gpu_seconds')),
  sku           text        not null,
  quantity      integer     not null constraint usage_intervals_quantity_positive check (quantity > 0),
  period        tstzrange   not null constraint usage_intervals_period_sound check (not lower_inf(period) and lower_inc(period)),
  created_at    timestamptz not null default clock_timestamp(),
  -- Invariant 6: intervals of one allocation and meter never overlap.
  constraint usage_intervals_no_overlap exclude using gist (allocation_id with =, meter with =, period with &&)
);
create unique index usage_intervals_one_open on usage_intervals (allocation_id, meter) where upper_inf(period);
comment on table usage_intervals is 'Billable time; an open one has no upper bound. Never partitioned.';
call protect_tenant_rows('usage_intervals');

create trigger guard_state before update of state on allocations for each row execute function guard_state();
create trigger guard_state before update of state on operations for each row execute function guard_state();
create trigger guard_state before update of state on operation_steps for each row execute function guard_state();
create trigger bump_version before update on allocations for each row execute function bump_version();
create trigger bump_version before update on operations for each row execute function bump_version();

-- A tenant's own machines, without a door to the rest of the machine room.
create view allocation_machines with (security_barrier) as
  select an.allocation_id, an.org_id, an.attempt, an.released_at, an.receipt,
         n.id as node_id, n.host, n.port, n.host_key
  from allocation_nodes an join nodes n on n.id = an.node_id
  where an.org_id = berth_org() or berth_platform();
create view allocation_devices with (security_barrier) as
  select ag.allocation_id, ag.org_id, ag.attempt, ag.released_at,
         g.id as gpu_id, g.node_id, g.gpu_index, g.uuid, g.model
  from allocation_gpus ag join gpus g on g.id = ag.gpu_id
  where ag.org_id = berth_org() or berth_platform();

grant select, insert, update on allocations, operations to berth_api;
grant select, insert on allocation_ssh_keys, operation_steps to berth_api;
grant select on allocation_nodes, allocation_gpus, usage_intervals, allocation_machines, allocation_devices to berth_api;
grant select, insert, update on allocations, allocation_ssh_keys, allocation_nodes, allocation_gpus, operations, operation_steps, usage_intervals to berth_worker;
grant select, insert, update, delete on allocations, allocation_ssh_keys, allocation_nodes, allocation_gpus, operations, operation_steps, usage_intervals to berth_admin;
grant select on allocation_machines, allocation_devices to berth_worker, berth_admin;
