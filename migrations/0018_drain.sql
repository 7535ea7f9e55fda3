-- Machines that are to be empty, and tenants who are told when.

alter table nodes add column maintenance_at timestamptz;
comment on column nodes.maintenance_at is 'When work on a draining machine begins, as its tenants were told; null: nobody said.';

create or replace view allocation_machines with (security_barrier) as
  select an.allocation_id, an.org_id, an.attempt, an.released_at, an.receipt,
         n.id as node_id, n.host, n.port, n.host_key,
         n.state = 'draining' as draining, n.maintenance_at
  from allocation_nodes an join nodes n on n.id = an.node_id
  where an.org_id = berth_org() or berth_platform();
