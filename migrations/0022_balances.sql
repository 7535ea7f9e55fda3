-- When the money of an organization ends, and what is done about it.

alter table billing_accounts
  add column terms                     text        not null default 'invoiced' constraint billing_accounts_terms_known check (terms in ('invoiced', 'prepaid')),
  add column terms_reason              text        constraint billing_accounts_terms_reason_length check (char_length(terms_reason) between 1 and 500),
  add column state                     text        not null default 'healthy' constraint billing_accounts_state_known check (state in ('healthy', 'low', 'auto_release_pending', 'depleted')),
  add column solvent_at                timestamptz,
  add column depleted_at               timestamptz,
  add column zero_at                   timestamptz,
  add column spend_cap_micros_per_hour bigint      constraint billing_accounts_spend_cap_range check (spend_cap_micros_per_hour between 0 and 1000000000000000),
  add constraint billing_accounts_prepaid_was_solvent check (terms = 'invoiced' or solvent_at is not null),
  add constraint billing_accounts_depleted_at_an_instant check ((state = 'depleted') = (depleted_at is not null)),
  add constraint billing_accounts_invoiced_is_not_guarded check (terms = 'prepaid' or state = 'healthy');
comment on column billing_accounts.terms is 'invoiced: pays afterwards; prepaid: what it has is released when its balance is used up.';
comment on column billing_accounts.terms_reason is 'Why an operator set them; null: nobody did.';
comment on column billing_accounts.state is 'As the guard saw it last; of a prepaid balance only.';
comment on column billing_accounts.solvent_at is 'The last instant at which the guard saw that something was left: nobody''s use ends before it for lack of money.';
comment on column billing_accounts.depleted_at is 'The instant of zero: use of everything that runs ends there.';
comment on column billing_accounts.zero_at is 'When the balance ends if nothing changes, as the guard saw it last.';
comment on column billing_accounts.spend_cap_micros_per_hour is 'Above it nothing more is let in; null: no cap.';
create index billing_accounts_prepaid on billing_accounts (org_id) where terms = 'prepaid';
create index usage_intervals_open on usage_intervals (org_id) where upper_inf(period);

alter table allocations drop constraint allocations_release_reason_known;
alter table allocations add constraint allocations_release_reason_known
  check (release_reason in ('user_request', 'cancelled', 'lease_expired', 'balance_depleted', 'operator'));

create view chargeable_use with (security_invoker = true) as
  select i.org_id, i.sku, i.quantity,
         case when upper_inf(i.period) and least(a.release_requested_at, a.lease_ends_at) is not null
              then tstzrange(lower(i.period), greatest(least(a.release_requested_at, a.lease_ends_at),
                                                       lower(i.period) + interval '1 microsecond'))
              else i.period end as period
  from usage_intervals i join allocations a on a.id = i.allocation_id;
comment on view chargeable_use is 'Intervals of use as they will be charged: one whose end is asked for or known has it, also before its workflow has closed it.';
grant select on chargeable_use to berth_api, berth_worker, berth_admin;

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
  from rotations k where k.ended_at is null
  union all
  select 'BalanceGuard', b.org_id, b.org_id, b.updated_at, null
  from billing_accounts b where b.terms = 'prepaid'
    and exists (select from usage_intervals i where i.org_id = b.org_id and upper_inf(i.period));
comment on view workflow_owners is 'Rows whose workflow has to run: allocations that have not ended, nodes with an open operation, billing runs and rotations under way, prepaid accounts with something running. moved_at: when the row last moved. workflow_id: null where the row''s id says it.';
