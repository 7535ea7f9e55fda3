//! The wish to end an allocation. Writing it down changes no state: the workflow does that.

use domain::id::AllocationId;
use domain::reason::ReleaseReason;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, one_row};

/// Notes the wish and its instant, at which usage ends; once, a later wish changes nothing. `false`:
/// there was a wish before, or the allocation has ended.
pub async fn request_release(
    conn: &mut PgConnection,
    id: AllocationId,
    reason: ReleaseReason,
) -> Result<bool> {
    let done = sqlx::query!(
        "update allocations set release_requested_at = clock_timestamp(), release_reason = $2
         where id = $1 and release_requested_at is null and state not in ('released', 'failed')",
        id.uuid(),
        reason.as_str(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The same for an instant that has passed, at which the money for it ended. Not if there is a wish, or
/// it has ended.
pub async fn release_for_lack_of_money(
    conn: &mut PgConnection,
    id: AllocationId,
    at: OffsetDateTime,
) -> Result<()> {
    let done = sqlx::query!(
        "update allocations set release_requested_at = greatest($2, created_at), release_reason = 'balance_depleted'
         where id = $1 and release_requested_at is null and state not in ('released', 'failed')",
        id.uuid(),
        at,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}
