//! Bills of many accounts at once: lines, invoice, entries and claim by one statement, so that none
//! of them is ever there without the others.

use domain::billing::Period;
use domain::id::{BillingRunId, InvoiceId, OrgId};
use sqlx::PgConnection;

use super::Account;
use crate::error::Result;

/// An account whose period is to be billed, and in which revision.
#[derive(Debug, Clone)]
pub struct Due {
    pub account: Account,
    /// 0 at first; one more each time that use was recorded late.
    pub revision: i32,
}

/// What became of it.
#[derive(Debug, Clone)]
pub struct Charged {
    pub org_id: OrgId,
    pub invoice_id: InvoiceId,
    pub total_micros: i64,
}

/// Use without a price: an account that cannot be billed.
#[derive(Debug, Clone)]
pub struct Unpriced {
    pub org_id: OrgId,
    /// Names, comma between them.
    pub skus: String,
}

/// Which of these accounts used something for which there is no price in their currency.
pub async fn unpriced(
    conn: &mut PgConnection,
    due: &[Due],
    period: Period,
    epoch: i64,
) -> Result<Vec<Unpriced>> {
    let (orgs, currencies) = columns(due);
    let rows = sqlx::query!(
        r#"with priced as (
             select sku, currency, range_agg(effective) as times from prices group by sku, currency
           ), record as materialized (
             select a.currency, r.* from unnest($1::uuid[], $2::text[]) as a (org_id, currency)
             join usage_records r on r.org_id = a.org_id and r.epoch <= $5
               and r.started_at > $3::timestamptz - interval '24 hours' and r.started_at < $4 and r.ended_at > $3
           )
           select r.org_id, string_agg(distinct r.sku, ', ' order by r.sku) as "skus!"
           from record r
           left join priced p on p.sku = r.sku and p.currency = r.currency
           where p.times is null
              or not p.times @> tstzrange(greatest(r.started_at, $3), least(r.ended_at, $4))
           group by r.org_id"#,
        &orgs,
        &currencies,
        period.start,
        period.end,
        epoch,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Unpriced {
            org_id: row.org_id.into(),
            skus: row.skus,
        })
        .collect())
}

/// Rates what each account used in the period, as known up to the epoch, and charges it. A line is
/// one project's use of an SKU at one price; it is rounded once, to the micro. What an invoice comes
/// to is rounded to what can be paid: to the nearest, or down for who has paid before, as it was
/// stopped where its money ended. An account that used nothing gets its claim alone.
pub async fn charge(
    conn: &mut PgConnection,
    run: BillingRunId,
    due: &[Due],
    period: Period,
    epoch: i64,
) -> Result<Vec<Charged>> {
    let (orgs, currencies) = columns(due);
    let (revisions, units): (Vec<i32>, Vec<i64>) = due
        .iter()
        .map(|due| (due.revision, due.account.currency.minor_unit_micros()))
        .unzip();
    let rows = sqlx::query!(
        r#"with account as (
             select * from unnest($1::uuid[], $2::text[], $3::integer[], $4::bigint[])
               as a (org_id, currency, revision, unit)
           ), record as materialized (
             select a.currency, r.* from account a
             join usage_records r on r.org_id = a.org_id and r.epoch <= $7
               and r.started_at > $5::timestamptz - interval '24 hours' and r.started_at < $6 and r.ended_at > $5
           ), line as materialized (
             select uuid_v7() as id, org_id, project_id, sku, meter, price_id, price_micros,
                    gpu_microseconds, half_even(gpu_microseconds::numeric * price_micros, 3600000000)::bigint as amount,
                    used_from, used_to, record_count, record_digest
             from (
               select r.org_id, r.project_id, r.sku, r.meter, p.id as price_id,
                      p.amount_micros_per_hour as price_micros,
                      sum(r.quantity * microseconds(cut.ended_at - cut.started_at))::bigint as gpu_microseconds,
                      min(cut.started_at) as used_from, max(cut.ended_at) as used_to,
                      count(*) as record_count,
                      sha256(string_agg(uuid_send(r.id), ''::bytea order by r.id)) as record_digest
               from record r
               join prices p on p.sku = r.sku and p.currency = r.currency
               cross join lateral (
                 select greatest(r.started_at, $5, lower(p.effective)) as started_at,
                        least(r.ended_at, $6, upper(p.effective)) as ended_at
               ) as cut
               where cut.started_at < cut.ended_at
               group by r.org_id, r.project_id, r.sku, r.meter, p.id
             ) as used
             where gpu_microseconds <> 0
           ), bill as materialized (
             select a.org_id, a.currency, a.revision, uuid_v7() as invoice_id,
                    case when bool_or(l.amount <> 0) then uuid_v7() end as transaction_id,
                    sum(l.amount)::bigint as lines,
                    (case b.terms when 'prepaid' then div(sum(l.amount), a.unit) else half_even(sum(l.amount), a.unit) end * a.unit)::bigint as total
             from account a join line l on l.org_id = a.org_id join billing_accounts b on b.org_id = a.org_id
             group by a.org_id, a.currency, a.revision, a.unit, b.terms
           ), numbered as (
             update billing_accounts b set next_invoice_number = b.next_invoice_number + 1
             from bill where b.org_id = bill.org_id
             returning b.org_id, b.next_invoice_number - 1 as number
           ), moved as (
             insert into ledger_transactions (id, org_id, kind, key)
             select transaction_id, org_id, 'charge', 'charge/' || $8 || '/' || revision
             from bill where transaction_id is not null
           ), entry as (
             select org_id, transaction_id, 'receivable' as account, currency, -total as amount, null::uuid as line_id from bill
             union all
             select org_id, transaction_id, 'rounding', currency, total - lines, null from bill
             union all
             select l.org_id, b.transaction_id, 'revenue', b.currency, l.amount, l.id
             from line l join bill b on b.org_id = l.org_id
           ), posted as (
             insert into ledger_entries (id, created_at, org_id, transaction_id, account, currency, amount_micros, invoice_line_id)
             select id, uuid_v7_at(id), org_id, transaction_id, account, currency, amount, line_id
             from (select uuid_v7() as id, entry.* from entry where amount <> 0) as numbered
           ), issued as (
             insert into invoices (id, org_id, number, kind, period, revision, currency, lines_micros,
                                   rounding_micros, total_micros, transaction_id, run_id)
             select b.invoice_id, b.org_id, n.number, 'invoice', tstzrange($5, $6), b.revision, b.currency,
                    b.lines, b.total - b.lines, b.total, b.transaction_id, $9
             from bill b join numbered n on n.org_id = b.org_id
           ), itemized as (
             insert into invoice_lines (id, org_id, invoice_id, project_id, sku, meter, price_id, price_micros,
                                        gpu_microseconds, amount_micros, used_from, used_to, record_count, record_digest)
             select l.id, l.org_id, b.invoice_id, l.project_id, l.sku, l.meter, l.price_id, l.price_micros,
                    l.gpu_microseconds, l.amount, l.used_from, l.used_to, l.record_count, l.record_digest
             from line l join bill b on b.org_id = l.org_id
           ), claimed as (
             insert into billing_claims (id, org_id, period, revision, epoch, run_id, invoice_id)
             select uuid_v7(), a.org_id, tstzrange($5, $6), a.revision, $7, $9, b.invoice_id
             from account a left join bill b on b.org_id = a.org_id
           )
           select org_id as "org_id!", invoice_id as "invoice_id!", total as "total!" from bill order by org_id"#,
        &orgs,
        &currencies,
        &revisions,
        &units,
        period.start,
        period.end,
        epoch,
        super::key(period),
        run.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Charged {
            org_id: row.org_id.into(),
            invoice_id: row.invoice_id.into(),
            total_micros: row.total,
        })
        .collect())
}

fn columns(due: &[Due]) -> (Vec<uuid::Uuid>, Vec<String>) {
    due.iter()
        .map(|due| (due.account.org_id.uuid(), due.account.currency.to_string()))
        .unzip()
}
