-- Replacing keys: what was asked for, how far it is, and the evidence.

create table rotations (
  id                  uuid        constraint rotations_pkey primary key,
  purpose             text        not null constraint rotations_purpose_known check (purpose in ('jwt_signer', 'terminal_signer')),
  mode                text        not null constraint rotations_mode_known check (mode in ('scheduled', 'break_glass')),
  reason              text        not null constraint rotations_reason_length check (char_length(reason) between 1 and 500),
  requested_by        uuid,
  workflow_id         text        not null,
  old_kid             text        constraint rotations_old_kid_fkey references signing_keys (kid),
  new_kid             text        constraint rotations_new_kid_fkey references signing_keys (kid),
  published_at        timestamptz,
  activated_at        timestamptz,
  revoked_at          timestamptz,
  refused_at          timestamptz,
  ended_kids          text[]      not null default '{}',
  documents_resigned  bigint      not null default 0,
  documents_refused   bigint      not null default 0,
  outcome             text        constraint rotations_outcome_known check (outcome in ('succeeded', 'called_off', 'failed')),
  evidence            jsonb,
  version             bigint      not null default 1,
  created_at          timestamptz not null default clock_timestamp(),
  updated_at          timestamptz not null default clock_timestamp(),
  ended_at            timestamptz,
  constraint rotations_other_key check (old_kid <> new_kid),
  constraint rotations_in_order check (
    (activated_at is null or published_at is not null) and (refused_at is null or revoked_at is not null)),
  constraint rotations_end_has_outcome check ((ended_at is null) = (outcome is null) and (ended_at is null) = (evidence is null))
);
create unique index rotations_one_before_activation on rotations (purpose, mode) where activated_at is null and ended_at is null;
create unique index rotations_one_under_way on rotations (workflow_id) where ended_at is null;
comment on table rotations is 'Keys that were replaced, or are being.';
comment on column rotations.activated_at is 'The new key signs from here on; where glass was broken, the old one is revoked by the same transaction.';
comment on column rotations.ended_kids is 'Every key that it revoked: of those no signature holds.';
comment on column rotations.documents_refused is 'Documents that the ended keys never signed, whatever they say; they are left as they are.';
comment on column rotations.refused_at is 'It was seen that what the old key signed is refused.';
comment on column rotations.evidence is 'What was done and when, signed; its form is domain::signed_document.';
create trigger bump_version before update on rotations for each row execute function bump_version();
alter table rotations enable row level security;
alter table rotations force row level security;
create policy platform on rotations to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on rotations to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select, insert on rotations to berth_api;
grant select, insert, update on rotations to berth_worker;
grant select on rotations to berth_admin;

-- What is signed while its key is revoked was signed too late: the step does it again with the key
-- that signs. Who revokes a key waits for those who have just written with it.
create function receipt_key_holds() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform from signing_keys where kid = new.receipt ->> 'kid' and state <> 'revoked' for share;
  if not found then
    raise exception 'the key of this receipt does not sign'
      using errcode = 'BT004', constraint = 'allocation_nodes_receipt_key', table = 'allocation_nodes';
  end if;
  return new;
end $$;
create function evidence_key_holds() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  perform from signing_keys where kid = new.evidence ->> 'kid' and state <> 'revoked' for share;
  if not found then
    raise exception 'the key of this evidence does not sign'
      using errcode = 'BT004', constraint = 'rotations_evidence_key', table = 'rotations';
  end if;
  return new;
end $$;
create trigger evidence_key_holds before update of evidence on rotations for each row
  when (new.evidence is not null and new.evidence is distinct from old.evidence)
  execute function evidence_key_holds();
create index allocation_nodes_by_receipt_key on allocation_nodes ((receipt ->> 'kid'), allocation_id, attempt)
  where receipt is not null;
create trigger receipt_key_holds before update of receipt on allocation_nodes for each row
  when (new.receipt is not null and new.receipt is distinct from old.receipt)
  execute function receipt_key_holds();

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
  from rotations k where k.ended_at is null;
comment on view workflow_owners is 'Rows whose workflow has to run: allocations that have not ended, nodes with an open operation, billing runs and rotations under way. moved_at: when the row last moved. workflow_id: null where the row''s id says it.';
