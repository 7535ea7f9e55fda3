-- Money that comes and goes by other ways than use: payments, refunds, and credits that expire.

alter table ledger_transactions drop constraint ledger_transactions_kind_known;
alter table ledger_transactions add constraint ledger_transactions_kind_known
  check (kind in ('charge', 'reversal', 'credit', 'expiry', 'payment', 'refund'));
alter table ledger_entries drop constraint ledger_entries_account_known;
alter table ledger_entries add constraint ledger_entries_account_known
  check (account in ('receivable', 'revenue', 'rounding', 'credits', 'payments'));

alter table credits
  add column priority   integer     not null default 100 constraint credits_priority_range check (priority between 0 and 1000),
  add column expires_at timestamptz constraint credits_expire_in_time check (expires_at > created_at and expires_at < '2200-01-01');
comment on column credits.priority is 'Use is paid from the lowest first, then from what expires first.';
comment on column credits.expires_at is 'What is left of it then is taken back; null: it stays.';

create table credit_expiries (
  credit_id      uuid        constraint credit_expiries_pkey primary key constraint credit_expiries_credit_fkey references credits (id),
  org_id         uuid        not null,
  amount_micros  bigint      not null constraint credit_expiries_amount_range check (amount_micros >= 0),
  transaction_id uuid        constraint credit_expiries_transaction_fkey references ledger_transactions (id),
  created_at     timestamptz not null default clock_timestamp(),
  constraint credit_expiries_moves_or_not check ((amount_micros = 0) = (transaction_id is null))
);
comment on table credit_expiries is 'Credits that have expired, with what was left of each.';
create trigger refuse_change before update or delete or truncate on credit_expiries for each statement execute function refuse_change();
call protect_tenant_rows('credit_expiries');
grant select, insert on credit_expiries to berth_worker;
grant select on credit_expiries to berth_api, berth_admin;
create index credits_by_expiry on credits (expires_at) where expires_at is not null;

create table payments (
  id             uuid        constraint payments_pkey primary key,
  org_id         uuid        not null constraint payments_org_fkey references organizations (id),
  kind           text        not null constraint payments_kind_known check (kind in ('payment', 'refund')),
  reference      text        not null constraint payments_reference_length check (char_length(reference) between 1 and 128),
  of_payment_id  uuid        constraint payments_of_payment_fkey references payments (id),
  currency       text        not null constraint payments_currency_shape check (currency ~ '^[A-Z]{3}$'),
  amount_micros  bigint      not null constraint payments_amount_positive check (amount_micros between 1 and 1000000000000000),
  transaction_id uuid        not null constraint payments_transaction_fkey references ledger_transactions (id),
  created_at     timestamptz not null default clock_timestamp(),
  constraint payments_once unique (kind, reference),
  constraint payments_refund_names_payment check ((kind = 'refund') = (of_payment_id is not null))
);
create index payments_by_org on payments (org_id, id desc);
create index payments_by_payment on payments (of_payment_id) where of_payment_id is not null;
comment on table payments is 'What the payment provider told of: money that came in, and money that went back.';
comment on column payments.reference is 'The provider''s own name for it: told of twice, it is booked once.';
create trigger refuse_change before update or delete or truncate on payments for each statement execute function refuse_change();
call protect_tenant_rows('payments');
grant select, insert on payments to berth_api;
grant select on payments to berth_worker, berth_admin;
