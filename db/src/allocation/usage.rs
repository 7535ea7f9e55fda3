//! Billable time of one allocation.

use domain::id::{AllocationId, OrgId, UsageIntervalId};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::UsageInterval;
use crate::error::{Result, one_row};

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

/// Opens billable time at an instant. An allocation has one open interval of a meter at most.
pub async fn open_usage(
    conn: &mut PgConnection,
    allocation: AllocationId,
    at: OffsetDateTime,
) -> Result<UsageIntervalId> {
    let id: UsageIntervalId = crate::id::fresh();
    let done = sqlx::query!(
        "insert into usage_intervals (id, org_id, project_id, allocation_id, meter, sku, quantity, period)
         select $1, org_id, project_id, id, 'gpu_seconds', sku, gpu_count, tstzrange($3, null)
         from allocations where id = $2",
        id.uuid(),
        allocation.uuid(),
        at,
    )
    .execute(conn)
    .await?;
    one_row(&done).map(|()| id)
}

/// Closes billable time at an instant, never before its start; closed time stays as it is.
pub async fn close_usage(
    conn: &mut PgConnection,
    allocation: AllocationId,
    at: OffsetDateTime,
) -> Result<()> {
    sqlx::query!(
        "update usage_intervals
         set period = tstzrange(lower(period), greatest($2, lower(period) + interval '1 microsecond'))
         where allocation_id = $1 and upper_inf(period)",
        allocation.uuid(),
        at,
    )
    .execute(conn)
    .await?;
    Ok(())
}
