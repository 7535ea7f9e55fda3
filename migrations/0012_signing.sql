-- Keys that Berth signs with, and the sessions that single-use tickets opened.

insert into state_transitions values
  ('signing_keys', 'pre_published', 'active'), ('signing_keys', 'pre_published', 'revoked'),
  ('signing_keys', 'active', 'retiring'), ('signing_keys', 'active', 'revoked'),
  ('signing_keys', 'retiring', 'revoked');

create table signing_keys (
  kid             text        constraint signing_keys_pkey primary key
                              constraint signing_keys_kid_shape check (kid ~ '^[A-Za-z0-9_-]{43}$'),
  purpose         text        not null constraint signing_keys_purpose_known check (purpose in ('jwt_signer', 'terminal_signer')),
  algorithm       text        not null constraint signing_keys_algorithm_known check (algorithm = 'EdDSA'),
  public_jwk      jsonb       not null constraint signing_keys_public_only check (public_jwk ->> 'kid' = kid and not public_jwk ? 'd'),
  private_key_enc envelope,
  state           text        not null default 'pre_published',
  created_at      timestamptz not null default clock_timestamp(),
  activated_at    timestamptz,
  retiring_at     timestamptz,
  revoked_at      timestamptz,
  constraint signing_keys_state_known check (state in ('pre_published', 'active', 'retiring', 'revoked')),
  constraint signing_keys_times_of_state check (case state
    when 'pre_published' then activated_at is null and retiring_at is null and revoked_at is null
    when 'active' then activated_at is not null and retiring_at is null and revoked_at is null
    when 'retiring' then activated_at is not null and retiring_at is not null and revoked_at is null
    else revoked_at is not null end),
  constraint signing_keys_private_while_needed check ((private_key_enc is not null) = (state in ('pre_published', 'active')))
);
create unique index signing_keys_one_active on signing_keys (purpose) where state = 'active';
create unique index signing_keys_one_next on signing_keys (purpose) where state = 'pre_published';
create trigger guard_state before update of state on signing_keys for each row execute function guard_state();
comment on table signing_keys is 'Keys that Berth signs with. One a purpose signs, the next is published already.';
comment on column signing_keys.kid is 'Thumbprint of the public key (RFC 7638).';
comment on column signing_keys.purpose is 'jwt_signer: receipts and webhooks; terminal_signer: tickets.';
comment on column signing_keys.private_key_enc is 'The seed, sealed; wiped when the key signs no more.';

-- Workers and API make keys and move them on; neither changes what a key is.
grant select, insert, update (state, activated_at, retiring_at, revoked_at, private_key_enc)
  on signing_keys to berth_api, berth_worker;
grant select on signing_keys to berth_admin;

create table terminal_sessions (
  id            uuid        constraint terminal_sessions_pkey primary key,
  org_id        uuid        not null constraint terminal_sessions_org_fkey references organizations (id),
  allocation_id uuid        not null constraint terminal_sessions_allocation_fkey references allocations (id),
  user_id       uuid        not null constraint terminal_sessions_user_fkey references users (id),
  ticket_hash   bytea       not null constraint terminal_sessions_ticket_hash_size check (octet_length(ticket_hash) = 32),
  purpose       text        not null constraint terminal_sessions_purpose_known check (purpose in ('terminal', 'terminal_resume')),
  origin        text        not null,
  created_at    timestamptz not null default clock_timestamp(),
  constraint terminal_sessions_ticket_unique unique (ticket_hash)
);
create index terminal_sessions_by_allocation on terminal_sessions (allocation_id, id);
comment on table terminal_sessions is 'Terminals that were opened, one row a ticket used.';
comment on column terminal_sessions.ticket_hash is 'SHA-256 of the ticket. Unique: whatever Redis forgets or remembers, no ticket opens twice.';
call protect_tenant_rows('terminal_sessions');
grant select, insert on terminal_sessions to berth_api;
grant select on terminal_sessions to berth_worker, berth_admin;
