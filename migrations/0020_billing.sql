-- What things cost, what was used, what is owed. Amounts are whole micros of a currency.

-- A new UUIDv7 (RFC 9562) for rows that one statement makes many of; all others get theirs in Rust.
create function uuid_v7() returns uuid language sql volatile as $$
  select encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
           placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
           from 1 for 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- As domain::money rounds: to the nearest whole number, and to the even one of two as near. A test
-- compares the two. The denominator is positive.
create function half_even(numerator numeric, denominator numeric) returns numeric
language sql immutable strict parallel safe as $$
  select sign(numerator) * (whole + case when 2 * rest > denominator
                                           or (2 * rest = denominator and mod(whole, 2) = 1) then 1 else 0 end)
  from (select div(abs(numerator), denominator) as whole, mod(abs(numerator), denominator) as rest) as parts
$$;

create function microseconds(length interval) returns bigint
language sql immutable strict parallel safe as
$$ select (extract(epoch from length) * 1000000)::bigint $$;

create table prices (
  id                     uuid        constraint prices_pkey primary key,
  sku                    text        not null constraint prices_sku_fkey references skus (name),
  currency               text        not null constraint prices_currency_shape check (currency ~ '^[A-Z]{3}$'),
  amount_micros_per_hour bigint      not null constraint prices_amount_range check (amount_micros_per_hour between 0 and 1000000000000),
  effective              tstzrange   not null constraint prices_effective_sound check (not isempty(effective) and not lower_inf(effective) and lower_inc(effective) and not upper_inc(effective)),
  reason                 text        not null constraint prices_reason_length check (char_length(reason) between 1 and 500),
  created_by             uuid,
  version                bigint      not null default 1,
  created_at             timestamptz not null default clock_timestamp(),
  updated_at             timestamptz not null default clock_timestamp(),
  constraint prices_no_overlap exclude using gist (sku with =, currency with =, effective with &&)
);
comment on table prices is 'What one GPU of an SKU costs for an hour, in the SKU''s region, by currency and time.';
comment on column prices.effective is 'Half-open; without an end until a later price takes over.';
create trigger bump_version before update on prices for each row execute function bump_version();
alter table prices enable row level security;
alter table prices force row level security;
create policy everybody on prices for select to berth_api using (true);
create policy platform on prices to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on prices to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select on prices to berth_api, berth_worker, berth_admin;
grant insert on prices to berth_admin;
grant insert, update, delete on prices to berth_api;

create table billing_accounts (
  org_id              uuid        constraint billing_accounts_pkey primary key constraint billing_accounts_org_fkey references organizations (id),
  currency            text        not null default 'USD' constraint billing_accounts_currency_shape check (currency ~ '^[A-Z]{3}$'),
  next_invoice_number bigint      not null default 1,
  version             bigint      not null default 1,
  created_at          timestamptz not null default clock_timestamp(),
  updated_at          timestamptz not null default clock_timestamp()
);
comment on table billing_accounts is 'One for each organization that used or was given anything.';
comment on column billing_accounts.next_invoice_number is 'Moved in the transaction that issues the invoice, so that numbers have no gaps.';
create trigger bump_version before update on billing_accounts for each row execute function bump_version();
call protect_tenant_rows('billing_accounts');
grant select, insert, update on billing_accounts to berth_api, berth_worker;
grant select, insert on billing_accounts to berth_admin;

create table usage_clock (
  only_row boolean constraint usage_clock_pkey primary key default true constraint usage_clock_one_row check (only_row),
  epoch    bigint  not null
);
insert into usage_clock (epoch) values (1);
comment on table usage_clock is 'A count that grows when somebody fixes what is known so far. Who writes usage holds the row shared, so that no record of a past epoch can still appear.';
grant select, update on usage_clock to berth_worker;
grant select on usage_clock to berth_admin;

alter table usage_intervals add column metered_to timestamptz;
create index usage_intervals_by_org on usage_intervals (org_id, lower(period));
comment on column usage_intervals.metered_to is 'Up to here it is in usage_records.';
create index usage_intervals_to_meter on usage_intervals (id)
  where upper_inf(period) or metered_to is distinct from upper(period);

create table usage_records (
  id            uuid        not null,
  created_at    timestamptz not null,
  epoch         bigint      not null,
  org_id        uuid        not null,
  project_id    uuid        not null,
  allocation_id uuid        not null,
  interval_id   uuid        not null,
  meter         text        not null,
  sku           text        not null,
  quantity      integer     not null constraint usage_records_quantity_not_zero check (quantity between -100000 and 100000 and quantity <> 0),
  started_at    timestamptz not null,
  ended_at      timestamptz not null,
  constraint usage_records_pkey primary key (id, created_at),
  constraint usage_records_created_from_id check (created_at = uuid_v7_at(id)),
  constraint usage_records_period_sound check (started_at < ended_at and started_at > '2000-01-01' and ended_at < '2200-01-01'),
  -- So that whoever looks for the use of a time knows how far back it may begin.
  constraint usage_records_a_day_at_most check (microseconds(ended_at - started_at) <= 86400000000)
);
create index usage_records_by_time on usage_records (org_id, started_at);
create index usage_records_by_epoch on usage_records (org_id, epoch);
comment on table usage_records is 'Use that is rated: one row for an interval and a window.';
comment on column usage_records.epoch is 'Of usage_clock when it was written: what a bill has not seen has a later one.';
comment on column usage_records.quantity is 'How many at once; negative: that much was recorded too much, as of an interval that was closed at an earlier instant.';
create trigger refuse_change before update or delete or truncate on usage_records for each statement execute function refuse_change();
call protect_tenant_rows('usage_records');
grant select on usage_records to berth_api;
grant select, insert on usage_records to berth_worker, berth_admin;

create table ledger_transactions (
  id         uuid        constraint ledger_transactions_pkey primary key,
  org_id     uuid        not null constraint ledger_transactions_org_fkey references organizations (id),
  kind       text        not null constraint ledger_transactions_kind_known check (kind in ('charge', 'reversal', 'credit')),
  key        text        not null constraint ledger_transactions_key_length check (char_length(key) between 1 and 200),
  reason     text,
  created_by uuid,
  created_at timestamptz not null default clock_timestamp(),
  constraint ledger_transactions_once unique (org_id, key),
  constraint ledger_transactions_of_org unique (id, org_id)
);
comment on table ledger_transactions is 'Movements of money.';
comment on column ledger_transactions.key is 'What it is for: the same movement is written once.';
create trigger refuse_change before update or delete or truncate on ledger_transactions for each statement execute function refuse_change();
call protect_tenant_rows('ledger_transactions');

create table ledger_entries (
  id                uuid        not null,
  created_at        timestamptz not null,
  org_id            uuid        not null,
  transaction_id    uuid        not null,
  account           text        not null constraint ledger_entries_account_known check (account in ('receivable', 'revenue', 'rounding', 'credits')),
  currency          text        not null constraint ledger_entries_currency_shape check (currency ~ '^[A-Z]{3}$'),
  amount_micros     bigint      not null constraint ledger_entries_amount_not_zero check (amount_micros <> 0),
  invoice_line_id   uuid,
  corrects_entry_id uuid,
  constraint ledger_entries_pkey primary key (id, created_at),
  constraint ledger_entries_created_from_id check (created_at = uuid_v7_at(id)),
  constraint ledger_entries_transaction_fkey foreign key (transaction_id, org_id) references ledger_transactions (id, org_id)
);
create index ledger_entries_by_org on ledger_entries (org_id, id desc);
create index ledger_entries_by_transaction on ledger_entries (transaction_id);
comment on table ledger_entries is 'Double entry: what one account gives, others get. Money that an organization has is positive in receivable, money that it owes negative.';
comment on column ledger_entries.corrects_entry_id is 'The entry that this one takes back.';
create trigger refuse_change before update or delete or truncate on ledger_entries for each statement execute function refuse_change();
call protect_tenant_rows('ledger_entries');

create table account_balances (
  org_id         uuid   not null constraint account_balances_org_fkey references organizations (id),
  currency       text   not null,
  balance_micros bigint not null,
  constraint account_balances_pkey primary key (org_id, currency)
);
comment on table account_balances is 'Sum of an organization''s entries in receivable; kept by the trigger on ledger_entries and by nobody else.';
call protect_tenant_rows('account_balances');
grant select on account_balances to berth_api, berth_worker, berth_admin;

-- All entries of a transaction come in one INSERT, so one look at a statement sees them all: each
-- part of a transaction that came alone would have to be in balance by itself.
create function post_entries() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if exists (select from new_entries group by transaction_id, currency having sum(amount_micros) <> 0) then
    raise exception 'entries of a transaction do not sum to zero'
      using errcode = 'BT003', constraint = 'ledger_entries_in_balance', table = 'ledger_entries';
  end if;
  insert into account_balances as balance (org_id, currency, balance_micros)
  select org_id, currency, sum(amount_micros) from new_entries where account = 'receivable'
  group by org_id, currency order by org_id, currency
  on conflict on constraint account_balances_pkey do update
  set balance_micros = balance.balance_micros + excluded.balance_micros;
  return null;
end $$;
create trigger post_entries after insert on ledger_entries referencing new table as new_entries
  for each statement execute function post_entries();

create table credits (
  id             uuid        constraint credits_pkey primary key,
  org_id         uuid        not null constraint credits_org_fkey references organizations (id),
  currency       text        not null,
  amount_micros  bigint      not null constraint credits_amount_positive check (amount_micros between 1 and 1000000000000000),
  reason         text        not null constraint credits_reason_length check (char_length(reason) between 1 and 500),
  transaction_id uuid        not null constraint credits_transaction_fkey references ledger_transactions (id),
  created_by     uuid        not null,
  created_at     timestamptz not null default clock_timestamp()
);
create index credits_by_org on credits (org_id, id);
comment on table credits is 'Money given to an organization by an operator.';
create trigger refuse_change before update or delete or truncate on credits for each statement execute function refuse_change();
call protect_tenant_rows('credits');
grant select, insert on credits to berth_api;
grant select on credits to berth_worker, berth_admin;

create table billing_runs (
  id           uuid        constraint billing_runs_pkey primary key,
  org_id       uuid        constraint billing_runs_org_fkey references organizations (id),
  period       tstzrange   not null constraint billing_runs_period_sound check (not isempty(period) and not lower_inf(period) and not upper_inf(period) and lower_inc(period) and not upper_inc(period) and lower(period) >= '2000-01-01' and upper(period) < '2200-01-01'),
  workflow_id  text        not null,
  epoch        bigint,
  version      bigint      not null default 1,
  created_at   timestamptz not null default clock_timestamp(),
  updated_at   timestamptz not null default clock_timestamp(),
  ended_at     timestamptz
);
create unique index billing_runs_one_under_way on billing_runs (workflow_id) where ended_at is null;
comment on table billing_runs is 'Tries to bill a period.';
comment on column billing_runs.org_id is 'Null: every organization.';
comment on column billing_runs.epoch is 'Use that was recorded up to this epoch of usage_clock is billed.';
create trigger bump_version before update on billing_runs for each row execute function bump_version();
call protect_tenant_rows('billing_runs');
grant select, insert on billing_runs to berth_api;
grant select, insert, update on billing_runs to berth_worker;
grant select on billing_runs to berth_admin;

create table invoices (
  id                   uuid        constraint invoices_pkey primary key,
  org_id               uuid        not null constraint invoices_org_fkey references organizations (id),
  number               bigint      not null constraint invoices_number_positive check (number > 0),
  kind                 text        not null constraint invoices_kind_known check (kind in ('invoice', 'credit_note')),
  period               tstzrange   not null,
  revision             integer     not null,
  corrects_invoice_id  uuid        constraint invoices_corrects_fkey references invoices (id),
  currency             text        not null,
  lines_micros         bigint      not null,
  rounding_micros      bigint      not null,
  total_micros         bigint      not null,
  transaction_id       uuid        constraint invoices_transaction_fkey references ledger_transactions (id),
  run_id               uuid        not null constraint invoices_run_fkey references billing_runs (id),
  issued_at            timestamptz not null default clock_timestamp(),
  constraint invoices_number_unique unique (org_id, number),
  constraint invoices_once unique (org_id, period, revision, kind),
  constraint invoices_total_sound check (total_micros = lines_micros + rounding_micros),
  constraint invoices_note_names_invoice check ((kind = 'credit_note') = (corrects_invoice_id is not null))
);
create index invoices_by_run on invoices (run_id);
comment on table invoices is 'What an organization was charged for a period. Issued once, never changed: what was wrong is taken back by a credit note and charged anew.';
comment on column invoices.number is 'Within the organization, from 1, without gaps.';
comment on column invoices.rounding_micros is 'What the lines'' sum lacks to an amount that the currency can pay.';
comment on column invoices.transaction_id is 'Null: nothing was to move.';
create trigger refuse_change before update or delete or truncate on invoices for each statement execute function refuse_change();
call protect_tenant_rows('invoices');

create table invoice_lines (
  id               uuid        constraint invoice_lines_pkey primary key,
  org_id           uuid        not null,
  invoice_id       uuid        not null constraint invoice_lines_invoice_fkey references invoices (id),
  project_id       uuid        not null,
  sku              text        not null,
  meter            text        not null,
  price_id         uuid        not null constraint invoice_lines_price_fkey references prices (id),
  price_micros     bigint      not null,
  gpu_microseconds bigint      not null,
  amount_micros    bigint      not null,
  used_from        timestamptz not null,
  used_to          timestamptz not null,
  record_count     bigint      not null,
  record_digest    bytea       not null constraint invoice_lines_digest_size check (octet_length(record_digest) = 32)
);
create index invoice_lines_by_invoice on invoice_lines (invoice_id, id);
comment on table invoice_lines is 'Use of an SKU by a project at one price, rounded once.';
comment on column invoice_lines.record_digest is 'SHA-256 over the ids of the usage records, 16 bytes each, in their order.';
create trigger refuse_change before update or delete or truncate on invoice_lines for each statement execute function refuse_change();
call protect_tenant_rows('invoice_lines');

create table billing_claims (
  id         uuid        constraint billing_claims_pkey primary key,
  org_id     uuid        not null constraint billing_claims_org_fkey references organizations (id),
  period     tstzrange   not null,
  revision   integer     not null constraint billing_claims_revision_counts check (revision >= 0),
  epoch      bigint      not null,
  run_id     uuid        not null constraint billing_claims_run_fkey references billing_runs (id),
  invoice_id uuid        constraint billing_claims_invoice_fkey references invoices (id),
  created_at timestamptz not null default clock_timestamp(),
  constraint billing_claims_once unique (org_id, period, revision),
  constraint billing_claims_no_overlap exclude using gist (org_id with =, period with &&) where (revision = 0)
);
create index billing_claims_by_run on billing_claims (run_id);
comment on table billing_claims is 'Written with the invoice and its entries: who finds it has nothing left to do. A later revision bills use that was recorded late.';
comment on column billing_claims.invoice_id is 'Null: there was nothing to charge.';
create trigger refuse_change before update or delete or truncate on billing_claims for each statement execute function refuse_change();
call protect_tenant_rows('billing_claims');

create table billing_parked (
  org_id     uuid        not null constraint billing_parked_org_fkey references organizations (id),
  period     tstzrange   not null,
  run_id     uuid        not null constraint billing_parked_run_fkey references billing_runs (id),
  reason     text        not null,
  detail     text        not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint billing_parked_pkey primary key (org_id, period)
);
create index billing_parked_by_run on billing_parked (run_id);
comment on table billing_parked is 'Accounts that a run could not bill, until one can.';
call protect_tenant_rows('billing_parked');
grant select, insert, update, delete on billing_parked to berth_worker;
grant select on billing_parked to berth_api, berth_admin;

create table billing_late (
  org_id     uuid        not null constraint billing_late_org_fkey references organizations (id),
  period     tstzrange   not null,
  created_at timestamptz not null default clock_timestamp(),
  constraint billing_late_pkey primary key (org_id, period)
);
create index billing_late_by_period on billing_late (lower(period));
comment on table billing_late is 'Periods that were billed before all of their use was known; the next scheduled run bills them anew.';
call protect_tenant_rows('billing_late');
grant select, insert, delete on billing_late to berth_worker;
grant select on billing_late to berth_api, berth_admin;

grant select, insert on ledger_transactions, ledger_entries to berth_api, berth_worker;
grant select on ledger_transactions, ledger_entries to berth_admin;
grant select, insert on invoices, invoice_lines, billing_claims to berth_worker;
grant select on invoices, invoice_lines, billing_claims to berth_api, berth_admin;

create or replace view workflow_owners with (security_invoker = true) as
  select 'Allocation' as workflow_type, a.id, a.org_id, a.updated_at as moved_at, null::text as workflow_id
  from allocations a where a.state not in ('released', 'failed')
  union all
  select 'NodeEnrollment', o.resource_id, null, max(o.updated_at), null
  from operations o where o.resource_kind = 'node' and o.state in ('pending', 'running')
  group by o.resource_id
  union all
  select 'BillingRun', r.id, r.org_id, r.updated_at, r.workflow_id
  from billing_runs r where r.ended_at is null;
comment on view workflow_owners is 'Rows whose workflow has to run: allocations that have not ended, nodes with an open operation, billing runs under way. moved_at: when the row last moved. workflow_id: null where the row''s id says it.';
