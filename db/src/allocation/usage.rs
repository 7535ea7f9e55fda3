//! Billable time of one allocation.

use domain::id::{AllocationId, OrgId, UsageIntervalId};
use sqlx::PgConnection;

use super::UsageInterval;
use crate::error::Result;

/// Intervals of an allocation, oldest first, from the one after `after`.
pub async fn usage_intervals(
    conn: &mut PgConnection,
    org: OrgId,
    allocation: AllocationId,
    after: Option<UsageIntervalId>,
    limit: i64,
) -> Result<Vec<UsageInterval>> {
    let rows = sqlx::query!(
        r#"select id, meter, sku, quantity, lower(period) as "started_at!", upper(period) as ended_at,
                  greatest(0, floor(extract(epoch from
                    coalesce(upper(period), clock_timestamp()) - lower(period))))::bigint as "seconds!"
           from usage_intervals
           where allocation_id = $1 and org_id = $2 and ($3::uuid is null or id > $3)
           order by id limit $4"#,
        allocation.uuid(),
        org.uuid(),
        after.map(UsageIntervalId::uuid),
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| UsageInterval {
            id: row.id.into(),
            meter: row.meter,
            sku: row.sku,
            quantity: row.quantity,
            started_at: row.started_at,
            ended_at: row.ended_at,
            seconds: row.seconds,
        })
        .collect())
}
