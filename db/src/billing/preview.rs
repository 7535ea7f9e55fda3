//! What a price would have meant: a period that was used, charged at the prices of the time and at
//! another one. Nothing is written.

use domain::billing::Period;
use domain::id::OrgId;
use domain::money::Money;
use sqlx::PgConnection;

use crate::error::Result;

/// A price, and the use that it is tried on.
#[derive(Debug, Clone, Copy)]
pub struct Trial<'a> {
    pub sku: &'a str,
    /// For a GPU and an hour; accounts in other currencies are left out.
    pub price: Money,
    pub period: Period,
    /// Only this organization.
    pub org_id: Option<OrgId>,
}

/// One account's use of the SKU, both ways, in micros, each line rounded as a bill rounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    pub org_id: OrgId,
    pub gpu_microseconds: i64,
    pub charged_micros: i64,
    pub proposed_micros: i64,
}

/// Accounts that used the SKU.
pub async fn differences(conn: &mut PgConnection, trial: Trial<'_>) -> Result<Vec<Difference>> {
    let rows = sqlx::query!(
        r#"with record as materialized (
             select r.org_id, r.project_id, r.meter, r.quantity,
                    greatest(r.started_at, $3) as started_at, least(r.ended_at, $4) as ended_at
             from billing_accounts a
             join usage_records r on r.org_id = a.org_id and r.sku = $1
               and r.started_at > $3::timestamptz - interval '24 hours' and r.started_at < $4 and r.ended_at > $3
             where a.currency = $2 and ($5::uuid is null or a.org_id = $5)
           ), charged as (
             select org_id, sum(amount) as amount from (
               select r.org_id, half_even(sum(r.quantity * microseconds(upper(cut) - lower(cut)))::numeric
                                          * p.amount_micros_per_hour, 3600000000) as amount
               from record r
               join prices p on p.sku = $1 and p.currency = $2 and p.effective && tstzrange(r.started_at, r.ended_at)
               cross join lateral (select p.effective * tstzrange(r.started_at, r.ended_at)) as part (cut)
               group by r.org_id, r.project_id, r.meter, p.id
             ) as line group by org_id
           ), proposed as (
             select org_id, sum(used) as used, sum(half_even(used::numeric * $6::bigint, 3600000000)) as amount from (
               select org_id, sum(quantity * microseconds(ended_at - started_at)) as used
               from record group by org_id, project_id, meter
             ) as line group by org_id
           )
           select p.org_id as "org_id!", p.used::bigint as "used!", coalesce(c.amount, 0)::bigint as "charged!",
                  p.amount::bigint as "proposed!"
           from proposed p left join charged c using (org_id)"#,
        trial.sku,
        trial.price.currency.code(),
        trial.period.start,
        trial.period.end,
        trial.org_id.map(OrgId::uuid),
        trial.price.amount_micros,
    )
    .fetch_all(conn)
    .await?;
    let all = rows.into_iter().map(|row| Difference {
        org_id: row.org_id.into(),
        gpu_microseconds: row.used,
        charged_micros: row.charged,
        proposed_micros: row.proposed,
    });
    Ok(all.collect())
}
