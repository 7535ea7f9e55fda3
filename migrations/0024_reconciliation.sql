-- What use, lines, ledger and machines say of each other. Found, told, never mended by itself.

create table reconciliations (
  id              uuid        constraint reconciliations_pkey primary key,
  workflow_run_id text        not null constraint reconciliations_once unique,
  since           timestamptz not null,
  version         bigint      not null default 1,
  created_at      timestamptz not null default clock_timestamp(),
  updated_at      timestamptz not null default clock_timestamp(),
  ended_at        timestamptz
);
comment on table reconciliations is 'Comparisons of what is kept in several places.';
comment on column reconciliations.since is 'What is older was compared before.';
create trigger bump_version before update on reconciliations for each row execute function bump_version();
alter table reconciliations enable row level security;
alter table reconciliations force row level security;
create policy platform on reconciliations to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on reconciliations to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select on reconciliations to berth_api, berth_worker, berth_admin;
grant insert, update on reconciliations to berth_worker;

create table reconciliation_findings (
  id                bigint      generated always as identity constraint reconciliation_findings_pkey primary key,
  reconciliation_id uuid        not null constraint reconciliation_findings_reconciliation_fkey references reconciliations (id),
  comparison        text        not null constraint reconciliation_findings_comparison_known check (comparison in ('usage', 'lines', 'ledger', 'machines')),
  code              text        not null,
  org_id            uuid,
  subject           text        not null,
  expected          text        not null,
  found             text        not null
);
create index reconciliation_findings_by_reconciliation on reconciliation_findings (reconciliation_id, comparison);
comment on table reconciliation_findings is 'Where two places differ: the subject, what one of them says and what the other.';
alter table reconciliation_findings enable row level security;
alter table reconciliation_findings force row level security;
create policy platform on reconciliation_findings to berth_api using (berth_platform()) with check (berth_platform());
create policy inside on reconciliation_findings to berth_owner, berth_worker, berth_admin using (true) with check (true);
grant select on reconciliation_findings to berth_api, berth_worker, berth_admin;
grant insert, delete on reconciliation_findings to berth_worker;
