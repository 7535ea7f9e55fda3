//! Invoices and credit notes, with the lines that they sum up and the records behind a line.

use domain::billing::Period;
use domain::id::{
    AllocationId, InvoiceId, InvoiceLineId, LedgerTransactionId, OrgId, PriceId, ProjectId,
    UsageIntervalId,
};
use domain::money::Currency;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Result;

/// One document.
#[derive(Debug, Clone)]
pub struct Invoice {
    pub id: InvoiceId,
    pub org_id: OrgId,
    /// Within the organization, from 1, without gaps.
    pub number: i64,
    /// `invoice` or `credit_note`.
    pub kind: String,
    pub period: Period,
    pub revision: i32,
    pub corrects_invoice_id: Option<InvoiceId>,
    pub currency: Currency,
    pub lines_micros: i64,
    pub rounding_micros: i64,
    pub total_micros: i64,
    pub transaction_id: Option<LedgerTransactionId>,
    pub issued_at: OffsetDateTime,
}

/// One line of it.
#[derive(Debug, Clone)]
pub struct Line {
    pub id: InvoiceLineId,
    pub project_id: ProjectId,
    pub sku: String,
    pub meter: String,
    pub price_id: PriceId,
    pub price_micros: i64,
    pub gpu_microseconds: i64,
    pub amount_micros: i64,
    pub used_from: OffsetDateTime,
    pub used_to: OffsetDateTime,
    pub record_count: i64,
    pub record_digest: Vec<u8>,
}

/// A record that a line counts, cut to the line's period and price.
#[derive(Debug, Clone)]
pub struct Counted {
    pub record_id: Uuid,
    pub interval_id: UsageIntervalId,
    pub allocation_id: AllocationId,
    pub quantity: i32,
    pub started_at: OffsetDateTime,
    pub ended_at: OffsetDateTime,
}

/// Documents of an organization, the latest first, from before `after`.
pub async fn list(
    conn: &mut PgConnection,
    org: OrgId,
    id: Option<InvoiceId>,
    after: Option<InvoiceId>,
    limit: i64,
) -> Result<Vec<Invoice>> {
    let rows = sqlx::query!(
        "select id, org_id, number, kind, period, revision, corrects_invoice_id, currency, lines_micros,
                rounding_micros, total_micros, transaction_id, issued_at
         from invoices
         where org_id = $1 and ($2::uuid is null or id = $2) and ($3::uuid is null or id < $3)
         order by id desc limit $4",
        org.uuid(),
        id.map(InvoiceId::uuid),
        after.map(InvoiceId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = InvoiceId::from(row.id);
            Ok(Invoice {
                id,
                org_id: row.org_id.into(),
                number: row.number,
                kind: row.kind,
                period: super::period(&row.period),
                revision: row.revision,
                corrects_invoice_id: row.corrects_invoice_id.map(InvoiceId::from),
                currency: super::currency("invoices", id, &row.currency)?,
                lines_micros: row.lines_micros,
                rounding_micros: row.rounding_micros,
                total_micros: row.total_micros,
                transaction_id: row.transaction_id.map(LedgerTransactionId::from),
                issued_at: row.issued_at,
            })
        })
        .collect()
}

pub async fn get(conn: &mut PgConnection, org: OrgId, id: InvoiceId) -> Result<Option<Invoice>> {
    Ok(list(conn, org, Some(id), None, 1).await?.pop())
}

/// One line of a document.
pub async fn line(
    conn: &mut PgConnection,
    org: OrgId,
    invoice: InvoiceId,
    id: InvoiceLineId,
) -> Result<Option<Line>> {
    let lines = read_lines(conn, org, invoice, Some(id), None, 1).await?;
    Ok(lines.into_iter().next())
}

/// Lines of a document, by id, behind `after`.
pub async fn lines(
    conn: &mut PgConnection,
    org: OrgId,
    invoice: InvoiceId,
    after: Option<InvoiceLineId>,
    limit: i64,
) -> Result<Vec<Line>> {
    read_lines(conn, org, invoice, None, after, limit).await
}

async fn read_lines(
    conn: &mut PgConnection,
    org: OrgId,
    invoice: InvoiceId,
    id: Option<InvoiceLineId>,
    after: Option<InvoiceLineId>,
    limit: i64,
) -> Result<Vec<Line>> {
    let rows = sqlx::query!(
        "select id, project_id, sku, meter, price_id, price_micros, gpu_microseconds, amount_micros,
                used_from, used_to, record_count, record_digest
         from invoice_lines
         where org_id = $1 and invoice_id = $2 and ($3::uuid is null or id = $3)
           and ($4::uuid is null or id > $4)
         order by id limit $5",
        org.uuid(),
        invoice.uuid(),
        id.map(InvoiceLineId::uuid),
        after.map(InvoiceLineId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Line {
            id: row.id.into(),
            project_id: row.project_id.into(),
            sku: row.sku,
            meter: row.meter,
            price_id: row.price_id.into(),
            price_micros: row.price_micros,
            gpu_microseconds: row.gpu_microseconds,
            amount_micros: row.amount_micros,
            used_from: row.used_from,
            used_to: row.used_to,
            record_count: row.record_count,
            record_digest: row.record_digest,
        })
        .collect())
}

/// The records that a line counts, by id, behind `after`: what was known when it was billed, cut to
/// its period and price.
pub async fn counted(
    conn: &mut PgConnection,
    org: OrgId,
    invoice: InvoiceId,
    line: InvoiceLineId,
    after: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Counted>> {
    let rows = sqlx::query!(
        r#"select r.id, r.interval_id, r.allocation_id, r.quantity,
                  cut.started_at as "started_at!", cut.ended_at as "ended_at!"
           from invoice_lines l
           join invoices i on i.id = l.invoice_id
           -- What a credit note takes back was known one revision before.
           join billing_claims c on c.org_id = l.org_id and c.period = i.period
             and c.revision = i.revision - case i.kind when 'credit_note' then 1 else 0 end
           join prices p on p.id = l.price_id
           join usage_records r on r.org_id = l.org_id and r.epoch <= c.epoch and r.project_id = l.project_id
             and r.sku = l.sku and r.meter = l.meter
             and r.started_at > lower(i.period) - interval '24 hours'
             and r.started_at < upper(i.period) and r.ended_at > lower(i.period)
           cross join lateral (
             select greatest(r.started_at, lower(i.period), lower(p.effective)) as started_at,
                    least(r.ended_at, upper(i.period), upper(p.effective)) as ended_at
           ) as cut
           where l.id = $3 and l.invoice_id = $2 and l.org_id = $1 and cut.started_at < cut.ended_at
             and ($4::uuid is null or r.id > $4)
           order by r.id limit $5"#,
        org.uuid(),
        invoice.uuid(),
        line.uuid(),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Counted {
            record_id: row.id,
            interval_id: row.interval_id.into(),
            allocation_id: row.allocation_id.into(),
            quantity: row.quantity,
            started_at: row.started_at,
            ended_at: row.ended_at,
        })
        .collect())
}
