-- What calls for a running workflow, and machines that leave service.

create view workflow_owners with (security_invoker = true) as
  select 'Allocation' as workflow_type, a.id, a.org_id, a.updated_at as moved_at
  from allocations a where a.state not in ('released', 'failed')
  union all
  select 'NodeEnrollment', o.resource_id, null, max(o.updated_at)
  from operations o where o.resource_kind = 'node' and o.state in ('pending', 'running')
  group by o.resource_id;
comment on view workflow_owners is 'Rows whose workflow has to run: allocations that have not ended, nodes with an open operation. moved_at: when the row last moved.';
grant select on workflow_owners to berth_worker, berth_admin;

create index workflow_intents_owed on workflow_intents (resource_id) where delivered_at is null and dead_at is null;

-- An operator takes a node out of service while it is being looked at.
insert into state_transitions values ('nodes', 'verifying', 'maintenance');
