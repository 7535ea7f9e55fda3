-- The rows that one accepted POST /allocations writes, by pgbench: the floor for the API's rate.
-- Ids are UUIDv7 as Berth makes them, so that the checks on created_at hold.
with clock as (
  select lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') as millis
), made as (
  select (select (millis || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid from clock) as allocation,
         (select (millis || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid from clock) as operation,
         (select (millis || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid from clock) as event,
         (select (millis || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid from clock) as intent,
         (select (millis || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid from clock) as audit
), allocation as (
  insert into allocations (id, org_id, project_id, created_by, name, sku, gpu_count, queue_timeout_seconds, lease_seconds)
  select allocation, :org::uuid, :project::uuid, :user::uuid, 'bench', :sku::text, 1, 0, 3600 from made
), keys as (
  insert into allocation_ssh_keys (allocation_id, ssh_key_id, org_id)
  select allocation, :sshkey::uuid, :org::uuid from made
), operation as (
  insert into operations (id, org_id, kind, resource_kind, resource_id, workflow_id, deadline_at)
  select operation, :org::uuid, 'allocation.create', 'allocation', allocation, 'bench/' || allocation, clock_timestamp() from made
), steps as (
  insert into operation_steps (operation_id, org_id, position, name)
  select operation, :org::uuid, ordinality, step from made,
    unnest(array['admit', 'reserve', 'preflight', 'install_access', 'accept', 'activate']) with ordinality as s (step, ordinality)
), sequence as (
  insert into event_sequences (aggregate_id, org_id, seq) select allocation, :org::uuid, 1 from made
), event as (
  insert into outbox_events (id, created_at, org_id, type, aggregate_kind, aggregate_id, seq, data, published_at)
  select event, uuid_v7_at(event), :org::uuid, 'berth.provisioning.allocation.requested', 'allocation', allocation, 1, '{}', clock_timestamp() from made
), intent as (
  insert into workflow_intents (id, created_at, kind, org_id, workflow_type, workflow_id, resource_id, delivered_at)
  select intent, uuid_v7_at(intent), 'start', :org::uuid, 'Allocation', 'bench/' || allocation, allocation, clock_timestamp() from made
), idempotency as (
  insert into idempotency_keys (org_id, principal, method, route, key, fingerprint, status, resource_kind, resource_id, expires_at)
  select :org::uuid, 'bench', 'POST', '/api/v1/allocations', allocation::text, decode(repeat('00', 32), 'hex'), 202, 'operation', operation::text, clock_timestamp() + interval '1 day' from made
)
insert into audit_logs (id, created_at, org_id, actor_kind, actor_id, action, resource_kind, resource_id, outcome)
select audit, uuid_v7_at(audit), :org::uuid, 'system', 'bench', 'allocation.create', 'allocation', allocation::text, 'allowed' from made;
