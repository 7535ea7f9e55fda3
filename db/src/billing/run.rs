//! Billing runs: tries to bill a period, and what came of them.

use domain::billing::Period;
use domain::id::{BillingRunId, OperationId, OrgId};
use domain::money::{Currency, Money};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, one_row};

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: BillingRunId,
    /// `None`: every organization.
    pub org_id: Option<OrgId>,
    pub period: Period,
    pub workflow_id: String,
    /// Use that was recorded up to this epoch is billed; `None`: it has not begun.
    pub epoch: Option<i64>,
    /// Accounts that it settled: with an invoice, or as there was nothing to charge.
    pub accounts_billed: i64,
    pub invoices_issued: i64,
    pub credit_notes_issued: i64,
    pub accounts_parked: i64,
    pub operation_id: Option<OperationId>,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
}

/// What is to be billed.
#[derive(Debug, Clone, Copy)]
pub struct NewRun<'a> {
    pub id: BillingRunId,
    pub org_id: Option<OrgId>,
    pub period: Period,
    pub workflow_id: &'a str,
}

/// An account that a run could not bill.
#[derive(Debug, Clone)]
pub struct Parked {
    pub org_id: OrgId,
    pub reason: String,
    pub detail: String,
    pub created_at: OffsetDateTime,
}

/// Writes a run. `false`: this workflow has one under way.
pub async fn insert(conn: &mut PgConnection, new: NewRun<'_>) -> Result<bool> {
    let done = sqlx::query!(
        "insert into billing_runs (id, org_id, period, workflow_id)
         values ($1, $2, tstzrange($3, $4), $5) on conflict (workflow_id) where ended_at is null do nothing",
        new.id.uuid(),
        new.org_id.map(OrgId::uuid),
        new.period.start,
        new.period.end,
        new.workflow_id,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Runs that the transaction may see, the latest first, from before `after`.
pub async fn list(
    conn: &mut PgConnection,
    id: Option<BillingRunId>,
    after: Option<BillingRunId>,
    limit: i64,
) -> Result<Vec<Run>> {
    let rows = sqlx::query!(
        r#"select r.id, r.org_id, r.period, r.workflow_id, r.epoch, r.version, r.created_at, r.updated_at, r.ended_at,
                  (select count(*) from billing_claims c where c.run_id = r.id) as "accounts_billed!",
                  (select count(*) from invoices i where i.run_id = r.id and i.kind = 'invoice') as "invoices!",
                  (select count(*) from invoices i where i.run_id = r.id and i.kind = 'credit_note') as "credit_notes!",
                  (select count(*) from billing_parked p where p.run_id = r.id) as "parked!",
                  (select o.id from operations o where o.resource_id = r.id order by o.seq limit 1) as operation_id
           from billing_runs r
           where ($1::uuid is null or r.id = $1) and ($2::uuid is null or r.id < $2)
           order by r.id desc limit $3"#,
        id.map(BillingRunId::uuid),
        after.map(BillingRunId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Run {
            id: row.id.into(),
            org_id: row.org_id.map(OrgId::from),
            period: super::period(&row.period),
            workflow_id: row.workflow_id,
            epoch: row.epoch,
            accounts_billed: row.accounts_billed,
            invoices_issued: row.invoices,
            credit_notes_issued: row.credit_notes,
            accounts_parked: row.parked,
            operation_id: row.operation_id.map(OperationId::from),
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            ended_at: row.ended_at,
        })
        .collect())
}

pub async fn get(conn: &mut PgConnection, id: BillingRunId) -> Result<Option<Run>> {
    Ok(list(conn, Some(id), None, 1).await?.pop())
}

/// The run that a workflow has under way.
pub async fn of_workflow(
    conn: &mut PgConnection,
    workflow_id: &str,
) -> Result<Option<BillingRunId>> {
    let id = sqlx::query_scalar!(
        "select id from billing_runs where workflow_id = $1 and ended_at is null",
        workflow_id
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(BillingRunId::from))
}

/// Locks a run until commit; its epoch.
pub async fn lock(conn: &mut PgConnection, id: BillingRunId) -> Result<Option<i64>> {
    let row = sqlx::query_scalar!(
        "select epoch from billing_runs where id = $1 for update",
        id.uuid()
    )
    .fetch_one(conn)
    .await?;
    Ok(row)
}

/// Fixes what a run bills.
pub async fn set_epoch(conn: &mut PgConnection, id: BillingRunId, epoch: i64) -> Result<()> {
    let done = sqlx::query!(
        "update billing_runs set epoch = $2 where id = $1 and epoch is null",
        id.uuid(),
        epoch,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Ends a run; once.
pub async fn end(conn: &mut PgConnection, id: BillingRunId) -> Result<()> {
    sqlx::query!(
        "update billing_runs set ended_at = clock_timestamp() where id = $1 and ended_at is null",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// What a run's invoices and credit notes come to, by currency.
pub async fn totals(conn: &mut PgConnection, id: BillingRunId) -> Result<Vec<Money>> {
    let rows = sqlx::query!(
        r#"select currency, sum(total_micros)::bigint as "total!" from invoices
           where run_id = $1 group by currency order by currency"#,
        id.uuid(),
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency: Currency = super::currency("invoices", id, &row.currency)?;
            Ok(Money {
                amount_micros: row.total,
                currency,
            })
        })
        .collect()
}

/// Accounts that a run left for people, by organization, behind `after`.
pub async fn parked(
    conn: &mut PgConnection,
    id: BillingRunId,
    after: Option<OrgId>,
    limit: i64,
) -> Result<Vec<Parked>> {
    let rows = sqlx::query!(
        "select org_id, reason, detail, created_at from billing_parked
         where run_id = $1 and ($2::uuid is null or org_id > $2) order by org_id limit $3",
        id.uuid(),
        after.map(OrgId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Parked {
            org_id: row.org_id.into(),
            reason: row.reason,
            detail: row.detail,
            created_at: row.created_at,
        })
        .collect())
}

/// Whether billing this period would bill time twice: a claim that overlaps it and is not of it.
pub async fn overlaps(conn: &mut PgConnection, org: OrgId, period: Period) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from billing_claims c
             where c.revision = 0 and c.org_id = $1
               and c.period && tstzrange($2, $3) and c.period <> tstzrange($2, $3)) as "overlaps!""#,
        org.uuid(),
        period.start,
        period.end,
    )
    .fetch_one(conn)
    .await?)
}
