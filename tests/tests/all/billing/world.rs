//! Organizations, SKUs, prices and use made by data, and what the ledger says of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tests::Stack;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

pub(crate) const LIMIT: Duration = Duration::from_mins(3);

/// A stretch of use, in microseconds since 1970; negative: taken back.
#[derive(Debug, Clone)]
pub(crate) struct Use {
    pub org: Uuid,
    pub project: Uuid,
    pub sku: String,
    pub quantity: i32,
    pub start: i64,
    pub end: i64,
}

/// What one GPU costs for an hour within a stretch of time.
#[derive(Debug, Clone)]
pub(crate) struct Rate {
    pub sku: String,
    pub currency: &'static str,
    pub micros: i64,
    pub start: i64,
    pub end: Option<i64>,
}

pub(crate) fn micros(text: &str) -> i64 {
    let at = OffsetDateTime::parse(text, &Rfc3339).expect("a time");
    (at.unix_timestamp_nanos() / 1_000)
        .try_into()
        .expect("it fits")
}

pub(crate) fn at(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).expect("a time")
}

/// The same as callers write it.
pub(crate) fn text(micros: i64) -> String {
    at(micros).format(&Rfc3339).expect("a time")
}

/// An organization that pays in a currency.
pub(crate) async fn organization(stack: &Stack, currency: &str) -> Uuid {
    let id = db::id::fresh::<domain::id::OrgId>().uuid();
    let pool = stack.database().await;
    sqlx::query("insert into organizations (id, name, slug) values ($1, 'Billed', $2)")
        .bind(id)
        .bind(format!("b-{}", id.simple()))
        .execute(&pool)
        .await
        .expect("an organization");
    account(stack, id, currency).await;
    id
}

/// Its account.
pub(crate) async fn account(stack: &Stack, org: Uuid, currency: &str) {
    sqlx::query(
        "insert into billing_accounts (org_id, currency) values ($1, $2) on conflict do nothing",
    )
    .bind(org)
    .bind(currency)
    .execute(&stack.database().await)
    .await
    .expect("an account");
}

/// A SKU that nobody else uses.
pub(crate) async fn sku(stack: &Stack) -> String {
    let name = format!("billed-{}", db::id::fresh::<Uuid>().simple());
    sqlx::query(
        "insert into skus (name, region, display_name, gpu_model, gpu_memory_bytes, gpus_per_node)
         select $1, region, display_name, gpu_model, gpu_memory_bytes, 8 from skus where name = $2",
    )
    .bind(&name)
    .bind(stack.env("BERTH_SKU"))
    .execute(&stack.database().await)
    .await
    .expect("an SKU");
    name
}

pub(crate) async fn price(stack: &Stack, rate: &Rate) {
    sqlx::query(
        "insert into prices (id, sku, currency, amount_micros_per_hour, effective, reason)
         values (uuid_v7(), $1, $2, $3, tstzrange($4, $5), 'a test')",
    )
    .bind(&rate.sku)
    .bind(rate.currency)
    .bind(rate.micros)
    .bind(at(rate.start))
    .bind(rate.end.map(at))
    .execute(&stack.database().await)
    .await
    .expect("a price");
}

/// Records use as the metering does: a day (UTC) at most in one record.
pub(crate) async fn record(stack: &Stack, uses: &[Use]) {
    sqlx::query(
        "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                    meter, sku, quantity, started_at, ended_at)
         select id, uuid_v7_at(id), (select epoch from usage_clock), org, project, project, project,
                'gpu_seconds', sku, quantity, start, until
         from (select uuid_v7() as id, u.*, days.* from unnest($1::uuid[], $2::uuid[], $3::text[], $4::integer[],
                 $5::timestamptz[], $6::timestamptz[]) as u (org, project, sku, quantity, first, last),
               lateral (select greatest(day, first) as start, least(day + interval '24 hours', last) as until
                        from generate_series(date_trunc('day', first, 'UTC'),
                               last - interval '1 microsecond', interval '24 hours') as day) as days) as made",
    )
    .bind(uses.iter().map(|one| one.org).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| one.project).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| one.sku.clone()).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| one.quantity).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| at(one.start)).collect::<Vec<_>>())
    .bind(uses.iter().map(|one| at(one.end)).collect::<Vec<_>>())
    .execute(&stack.database().await)
    .await
    .expect("records");
}

/// Asks for a run; its operation.
pub(crate) async fn ask(stack: &Stack, start: &str, end: &str, org: Option<Uuid>) -> Value {
    let mut body = json!({"period_start": start, "period_end": end});
    if let Some(org) = org {
        body["organization_id"] = json!(domain::id::OrgId::from(org));
    }
    let path = "/api/v1/admin/billing-runs";
    stack.admin().post(path, &body).await.expect(202)
}

/// Bills a period; the run as it ended.
pub(crate) async fn bill(stack: &Stack, start: &str, end: &str, org: Option<Uuid>) -> Value {
    let asked = ask(stack, start, end, org).await;
    let done = stack.admin().finished(&asked, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let path = done["resource"]["url"].as_str().expect("its address");
    stack.admin().get(path).await.expect(200)
}

/// Micros by account of the ledger.
pub(crate) async fn accounts(stack: &Stack, org: Uuid) -> BTreeMap<String, i64> {
    sqlx::query_as::<_, (String, i64)>(
        "select account, sum(amount_micros)::bigint from ledger_entries where org_id = $1 group by account",
    )
    .bind(org)
    .fetch_all(&stack.database().await)
    .await
    .expect("entries")
    .into_iter()
    .filter(|(_, sum)| *sum != 0)
    .collect()
}

/// Rows that these organizations have in the tables that bills are written to.
pub(crate) async fn rows(stack: &Stack, orgs: &[Uuid]) -> i64 {
    sqlx::query_scalar(
        "select (select count(*) from ledger_entries where org_id = any($1))
              + (select count(*) from ledger_transactions where org_id = any($1))
              + (select count(*) from invoices where org_id = any($1))
              + (select count(*) from invoice_lines where org_id = any($1))
              + (select count(*) from billing_claims where org_id = any($1))",
    )
    .bind(orgs)
    .fetch_one(&stack.database().await)
    .await
    .expect("counts")
}

/// What must hold whatever happened, asked in ways of its own: transactions are in balance,
/// invoices are their lines and are what was moved for them, balances are the entries' sum, and
/// numbers have no gaps.
pub(crate) async fn assert_sound(stack: &Stack, orgs: &[Uuid]) {
    for (what, sql) in [
        (
            "transactions out of balance",
            "select count(*) from (select from ledger_entries where org_id = any($1)
               group by transaction_id, currency having sum(amount_micros) <> 0) as bad",
        ),
        (
            "transactions without entries",
            "select count(*) from ledger_transactions t where org_id = any($1)
               and not exists (select from ledger_entries e where e.transaction_id = t.id)",
        ),
        (
            "invoices that are not their lines",
            "select count(*) from invoices i where org_id = any($1) and lines_micros <>
               (select coalesce(sum(amount_micros), 0) from invoice_lines l where l.invoice_id = i.id)",
        ),
        (
            "invoices that are not what was moved",
            "select count(*) from invoices i where org_id = any($1) and total_micros <>
               -(select coalesce(sum(amount_micros), 0) from ledger_entries e
                 where e.transaction_id = i.transaction_id and account = 'receivable')",
        ),
        (
            "balances that are not the entries",
            "select count(*) from account_balances b where org_id = any($1) and balance_micros <>
               (select coalesce(sum(amount_micros), 0) from ledger_entries e
                where e.org_id = b.org_id and e.currency = b.currency and account = 'receivable')",
        ),
        (
            "gaps between numbers",
            "select count(*) from (select from invoices where org_id = any($1) group by org_id
               having max(number) <> count(*) or min(number) <> 1) as bad",
        ),
        (
            "revisions without the one before",
            "select count(*) from billing_claims c where org_id = any($1) and revision > 0
               and not exists (select from billing_claims b where b.org_id = c.org_id
                               and b.period = c.period and b.revision = c.revision - 1)",
        ),
    ] {
        let bad: i64 = sqlx::query_scalar(sql)
            .bind(orgs)
            .fetch_one(&stack.database().await)
            .await
            .unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(bad, 0, "{what}");
    }
}
