//! Taking a bill back: a credit note over the whole of it, and the opposite of each of its entries.

use domain::billing::Period;
use domain::id::{BillingRunId, InvoiceId, OrgId};
use sqlx::PgConnection;

use super::charge::{Charged, Due};
use crate::error::Result;

/// Takes back what the revision before each of these charged, where it charged anything. Lines of a
/// credit note are those of the invoice that it names, with the opposite sign.
pub async fn reverse(
    conn: &mut PgConnection,
    run: BillingRunId,
    due: &[Due],
    period: Period,
) -> Result<Vec<Charged>> {
    let (orgs, revisions): (Vec<_>, Vec<_>) = due
        .iter()
        .filter(|due| due.revision > 0)
        .map(|due| (due.account.org_id.uuid(), due.revision))
        .unzip();
    if orgs.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"with former as materialized (
             select i.*, a.revision as next_revision, uuid_v7() as note_id,
                    case when i.transaction_id is not null then uuid_v7() end as reversal_id
             from unnest($1::uuid[], $2::integer[]) as a (org_id, revision)
             join invoices i on i.org_id = a.org_id and i.period = tstzrange($3, $4)
                             and i.revision = a.revision - 1 and i.kind = 'invoice'
           ), numbered as (
             update billing_accounts b set next_invoice_number = b.next_invoice_number + 1
             from former f where b.org_id = f.org_id
             returning b.org_id, b.next_invoice_number - 1 as number
           ), moved as (
             insert into ledger_transactions (id, org_id, kind, key)
             select reversal_id, org_id, 'reversal', 'reversal/' || $5 || '/' || revision
             from former where reversal_id is not null
           ), posted as (
             insert into ledger_entries (id, created_at, org_id, transaction_id, account, currency, amount_micros, invoice_line_id, corrects_entry_id)
             select e.new_id, uuid_v7_at(e.new_id), e.org_id, e.reversal_id, e.account, e.currency,
                    -e.amount_micros, e.invoice_line_id, e.id
             from (select entries.*, f.reversal_id, uuid_v7() as new_id
                   from former f join ledger_entries entries on entries.transaction_id = f.transaction_id) as e
           ), issued as (
             insert into invoices (id, org_id, number, kind, period, revision, corrects_invoice_id, currency,
                                   lines_micros, rounding_micros, total_micros, transaction_id, run_id)
             select f.note_id, f.org_id, n.number, 'credit_note', f.period, f.next_revision, f.id, f.currency,
                    -f.lines_micros, -f.rounding_micros, -f.total_micros, f.reversal_id, $6
             from former f join numbered n on n.org_id = f.org_id
           ), itemized as (
             insert into invoice_lines (id, org_id, invoice_id, project_id, sku, meter, price_id, price_micros,
                                        gpu_microseconds, amount_micros, used_from, used_to, record_count, record_digest)
             select uuid_v7(), l.org_id, f.note_id, l.project_id, l.sku, l.meter, l.price_id, l.price_micros,
                    -l.gpu_microseconds, -l.amount_micros, l.used_from, l.used_to, l.record_count, l.record_digest
             from former f join invoice_lines l on l.invoice_id = f.id
           )
           select org_id as "org_id!", note_id as "note_id!", -total_micros as "total!" from former order by org_id"#,
        &orgs,
        &revisions,
        period.start,
        period.end,
        super::key(period),
        run.uuid(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Charged {
            org_id: OrgId::from(row.org_id),
            invoice_id: InvoiceId::from(row.note_id),
            total_micros: row.total,
        })
        .collect())
}
