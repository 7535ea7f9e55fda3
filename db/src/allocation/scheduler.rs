//! What a tenant told its scheduler: never in clear.

use domain::envelope::Stored;
use domain::envelope::column::SchedulerRequest;
use domain::id::{AllocationId, OrgId};
use sqlx::PgConnection;

use crate::error::Result;

/// The sealed request of one allocation; `None` where nothing was said, or there is no such
/// allocation.
pub async fn scheduler_request(
    conn: &mut PgConnection,
    org: OrgId,
    id: AllocationId,
) -> Result<Option<Stored<SchedulerRequest>>> {
    let value = sqlx::query_scalar!(
        r#"select scheduler_metadata -> 'scheduler_request_enc' as "value!"
           from allocations
           where id = $1 and org_id = $2 and scheduler_metadata ? 'scheduler_request_enc'"#,
        id.uuid(),
        org.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    Ok(value.map(Stored::new))
}
