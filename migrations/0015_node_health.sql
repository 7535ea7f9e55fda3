-- How each machine fares, from look to look.

create table node_health (
  node_id      uuid        constraint node_health_pkey primary key constraint node_health_node_fkey references nodes (id),
  looked_at    timestamptz not null default clock_timestamp(),
  missed_looks integer     not null default 0 constraint node_health_missed_range check (missed_looks >= 0),
  good_looks   integer     not null default 0 constraint node_health_good_range check (good_looks >= 0),
  clean_looks  integer     not null default 0 constraint node_health_clean_range check (clean_looks >= 0),
  fault        text,
  fault_gpus   integer[],
  fault_since  timestamptz,
  findings     jsonb       not null default '[]' constraint node_health_findings_list check (jsonb_typeof(findings) = 'array'),
  boot_id      text,
  took_out     boolean     not null default false,
  constraint node_health_fault_has_start check ((fault is null) = (fault_since is null)),
  constraint node_health_gpus_of_a_fault check (fault is not null or fault_gpus is null)
);
comment on table node_health is 'What the last look at a machine by the health sweep left known; its history is in probe_reports, one row a change.';
comment on column node_health.missed_looks is 'Looks in a row without an answer.';
comment on column node_health.good_looks is 'Looks in a row that found nothing which keeps from work.';
comment on column node_health.clean_looks is 'Looks in a row that found nothing at all.';
comment on column node_health.fault is 'Stable code of what keeps people from working there; null: nothing does.';
comment on column node_health.fault_gpus is 'Indexes of the GPUs that it concerns; null: the whole machine.';
comment on column node_health.took_out is 'The sweep itself put the machine into quarantine, and has it checked again once it is well.';
alter table node_health enable row level security;
alter table node_health force row level security;
create policy inside on node_health to berth_owner, berth_worker, berth_admin using (true) with check (true);
create policy platform on node_health to berth_api using (berth_platform());
grant select, update (took_out) on node_health to berth_api;
grant select, insert, update on node_health to berth_worker;
grant select, insert, update, delete on node_health to berth_admin;

alter table probe_reports drop constraint probe_reports_kind_known;
alter table probe_reports add constraint probe_reports_kind_known
  check (kind in ('enrollment', 'probe', 'preflight', 'acceptance', 'release', 'health'));
