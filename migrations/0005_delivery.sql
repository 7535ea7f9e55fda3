-- What must follow a commit, what must not happen twice, and what happened.

create table idempotency_keys (
  org_id        uuid        not null,
  principal     text        not null,
  method        text        not null,
  route         text        not null,
  key           text        not null constraint idempotency_keys_key_shape check (key ~ '^[\x21-\x7e]{1,255}$'),
  fingerprint   bytea       not null constraint idempotency_keys_fingerprint_size check (octet_length(fingerprint) = 32),
  status        integer     not null,
  resource_kind text        not null,
  resource_id   text        not null,
  created_at    timestamptz not null default clock_timestamp(),
  expires_at    timestamptz not null,
  constraint idempotency_keys_pkey primary key (org_id, principal, method, route, key)
);
create index idempotency_keys_expiry on idempotency_keys (expires_at);
comment on table idempotency_keys is 'One row a call that changed something, committed with the change. Holds no answer: a replay renders the resource again.';
comment on column idempotency_keys.fingerprint is 'SHA-256 over method, route, query, content type and canonical body (RFC 8785).';
call protect_tenant_rows('idempotency_keys');

create table policy_values (
  key        text        not null constraint policy_values_key_shape check (key ~ '^[a-z_]+(\.[a-z_]+)+$'),
  scope_kind text        not null constraint policy_values_scope_known check (scope_kind in ('platform', 'organization', 'project')),
  scope_id   uuid        not null default '00000000-0000-0000-0000-000000000000',
  value      jsonb       not null,
  version    bigint      not null default 1,
  updated_by uuid,
  updated_at timestamptz not null default clock_timestamp(),
  constraint policy_values_pkey primary key (key, scope_kind, scope_id),
  constraint policy_values_scope_whole check ((scope_kind = 'platform') = (scope_id = '00000000-0000-0000-0000-000000000000'))
);
comment on table policy_values is 'Settings that operators change while running; project beats organization beats platform.';
comment on column policy_values.value is 'Validated against the definition in domain::policy when written.';
create trigger bump_version before update on policy_values for each row execute function bump_version();

create table outbox_events (
  id             uuid        not null,
  created_at     timestamptz not null,
  org_id         uuid,
  type           text        not null constraint outbox_events_type_shape check (type ~ '^berth\.[a-z_]+\.[a-z_]+\.[a-z_]+$'),
  aggregate_kind text        not null,
  aggregate_id   uuid        not null,
  seq            bigint      not null,
  data           jsonb       not null constraint outbox_events_data_small check (jsonb_typeof(data) = 'object' and octet_length(data::text) <= 8192),
  attempts       integer     not null default 0,
  last_error     text,
  published_at   timestamptz,
  dead_at        timestamptz,
  constraint outbox_events_pkey primary key (id, created_at),
  constraint outbox_events_created_from_id check (created_at = uuid_v7_at(id))
);
create index outbox_events_unpublished on outbox_events (id) where published_at is null and dead_at is null;
create index outbox_events_by_aggregate on outbox_events (aggregate_id, seq);
comment on table outbox_events is 'Facts for the event stream: ids and states, never payloads or secrets.';
comment on column outbox_events.seq is 'Number within the aggregate, without gaps.';
call protect_tenant_rows('outbox_events');

create table event_sequences (
  aggregate_id uuid   constraint event_sequences_pkey primary key,
  org_id       uuid,
  seq          bigint not null constraint event_sequences_positive check (seq > 0)
);
comment on table event_sequences is 'The number of each aggregate''s last event; the next event takes the next number.';
call protect_tenant_rows('event_sequences');

create table workflow_intents (
  id            uuid        not null,
  created_at    timestamptz not null,
  kind          text        not null constraint workflow_intents_kind_known check (kind in ('start', 'wake')),
  org_id        uuid,
  workflow_type text        not null,
  workflow_id   text        not null,
  resource_id   uuid        not null,
  operation_id  uuid,
  attempts      integer     not null default 0,
  last_error    text,
  next_try_at   timestamptz not null default clock_timestamp(),
  delivered_at  timestamptz,
  dead_at       timestamptz,
  constraint workflow_intents_pkey primary key (id, created_at),
  constraint workflow_intents_created_from_id check (created_at = uuid_v7_at(id))
);
create index workflow_intents_undelivered on workflow_intents (id) where delivered_at is null and dead_at is null;
comment on table workflow_intents is 'Starts and wakes owed to workflows; delivered by the API at once or by the relay later.';
comment on column workflow_intents.resource_id is 'The allocation or node: the workflow''s whole input.';
call protect_tenant_rows('workflow_intents');

create table dead_letters (
  id                uuid        constraint dead_letters_pkey primary key,
  source            text        not null constraint dead_letters_source_known check (source in ('event', 'intent')),
  source_id         uuid        not null,
  source_created_at timestamptz not null,
  org_id            uuid,
  subject           text        not null,
  reason            text        not null,
  attempts          integer     not null,
  version           bigint      not null default 1,
  created_at        timestamptz not null default clock_timestamp(),
  updated_at        timestamptz not null default clock_timestamp(),
  replayed_at       timestamptz,
  replayed_by       uuid
);
create index dead_letters_open on dead_letters (id) where replayed_at is null;
comment on table dead_letters is 'Events and intents that could not be delivered, until an operator replays them.';
create trigger bump_version before update on dead_letters for each row execute function bump_version();
call protect_tenant_rows('dead_letters');

create table audit_logs (
  id            uuid        not null,
  created_at    timestamptz not null,
  org_id        uuid,
  actor_kind    text        not null constraint audit_logs_actor_known check (actor_kind in ('api_key', 'workflow', 'system', 'anonymous')),
  actor_id      text        not null,
  user_id       uuid,
  action        text        not null,
  resource_kind text        not null,
  resource_id   text,
  outcome       text        not null constraint audit_logs_outcome_known check (outcome in ('allowed', 'denied', 'failed')),
  reason        text,
  request_id    text,
  detail        jsonb       not null default '{}',
  constraint audit_logs_pkey primary key (id, created_at),
  constraint audit_logs_created_from_id check (created_at = uuid_v7_at(id))
);
create index audit_logs_by_org on audit_logs (org_id, id desc);
comment on table audit_logs is 'Who did what, in the mutation''s own transaction; denied and failed attempts in their own.';
alter table audit_logs enable row level security;
alter table audit_logs force row level security;
create policy organization on audit_logs to berth_api
  using (org_id = berth_org() or berth_platform())
  with check (org_id is null or org_id = berth_org() or berth_platform());
create policy inside on audit_logs to berth_owner, berth_worker, berth_admin using (true) with check (true);
create trigger refuse_change before update or delete or truncate on audit_logs for each statement execute function refuse_change();

grant select, insert, update on idempotency_keys to berth_api;
grant select, insert, update on policy_values to berth_api;
grant select, insert on outbox_events, audit_logs to berth_api;
grant select, insert, update on workflow_intents, dead_letters to berth_api;
grant update on outbox_events to berth_api;
grant select, insert, update on event_sequences to berth_api, berth_worker;
grant select, delete on idempotency_keys to berth_worker;
grant select, insert, update on outbox_events, workflow_intents, dead_letters to berth_worker;
grant select, insert on audit_logs to berth_worker;
grant select on policy_values to berth_worker;
grant select, insert, update, delete on idempotency_keys, policy_values, outbox_events, event_sequences, workflow_intents, dead_letters to berth_admin;
grant select, insert on audit_logs to berth_admin;
