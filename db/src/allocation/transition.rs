//! Changes of an allocation's state. Each names the state it comes from; a row that is in another
//! one is refused as [`crate::Error::RowsAffected`].

use domain::id::{AllocationId, OrgId, ProjectId};
use domain::reason::{Code, ReleaseReason};
use domain::state::{AllocationState, StateMachine};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::error::{Result, one_row, parse};

/// What the workflow's steps need of a row.
#[derive(Debug, Clone)]
pub struct Held {
    pub id: AllocationId,
    pub org_id: OrgId,
    pub project_id: ProjectId,
    pub sku: String,
    pub gpu_count: i32,
    pub state: AllocationState,
    pub state_reason: Option<Code>,
    pub queue_timeout_seconds: i32,
    pub queued_at: Option<OffsetDateTime>,
    pub lease_seconds: i32,
    pub lease_ends_at: Option<OffsetDateTime>,
    pub release_requested_at: Option<OffsetDateTime>,
    pub release_reason: Option<ReleaseReason>,
    pub attempts: i32,
}

/// The row, held until the transaction ends: steps of one allocation happen one by one.
pub async fn hold(conn: &mut PgConnection, id: AllocationId) -> Result<Option<Held>> {
    let row = sqlx::query!(
        "select id, org_id, project_id, sku, gpu_count, state, state_reason, queue_timeout_seconds,
                  queued_at, lease_seconds, lease_ends_at, release_requested_at, release_reason,
                  attempts
           from allocations where id = $1 for no key update",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(Held {
            state: parse("allocations", "state", row.id, &row.state)?,
            state_reason: row.state_reason.and_then(|code| code.parse().ok()),
            release_reason: row
                .release_reason
                .map(|reason| parse("allocations", "release_reason", row.id, &reason))
                .transpose()?,
            id: row.id.into(),
            org_id: row.org_id.into(),
            project_id: row.project_id.into(),
            sku: row.sku,
            gpu_count: row.gpu_count,
            queue_timeout_seconds: row.queue_timeout_seconds,
            queued_at: row.queued_at,
            lease_seconds: row.lease_seconds,
            lease_ends_at: row.lease_ends_at,
            release_requested_at: row.release_requested_at,
            attempts: row.attempts,
        })
    })
    .transpose()
}

/// Into the queue: at its end the first time, at the old place afterwards.
pub async fn enter_queue(
    conn: &mut PgConnection,
    id: AllocationId,
    from: AllocationState,
    reason: Option<&Code>,
) -> Result<()> {
    let done = sqlx::query!(
        "update allocations set state = 'queued', state_reason = $3,
                queued_at = coalesce(queued_at, clock_timestamp())
         where id = $1 and state = $2",
        id.uuid(),
        from.as_str(),
        reason.map(Code::as_str),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Out of the queue, one try more.
pub async fn provision(conn: &mut PgConnection, id: AllocationId) -> Result<i32> {
    let attempt = sqlx::query_scalar!(
        "update allocations set state = 'provisioning', state_reason = null, attempts = attempts + 1
         where id = $1 and state = 'queued'
         returning attempts",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    attempt.ok_or(crate::Error::RowsAffected {
        expected: 1,
        actual: 0,
    })
}

/// The instant at which the tenant got it, and the lease's end.
#[derive(Debug, Clone, Copy)]
pub struct Activated {
    pub active_at: OffsetDateTime,
    pub lease_ends_at: OffsetDateTime,
}

/// The tenant's from now on. Not if somebody wants it to end.
pub async fn activate(conn: &mut PgConnection, id: AllocationId) -> Result<Activated> {
    let activated = sqlx::query_as!(
        Activated,
        r#"update allocations
           set state = 'active', state_reason = null, active_at = clock.now,
               lease_ends_at = clock.now + make_interval(secs => lease_seconds)
           from (select clock_timestamp() as now) as clock
           where id = $1 and state = 'provisioning' and release_requested_at is null
           returning active_at as "active_at!", lease_ends_at as "lease_ends_at!""#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    activated.ok_or(crate::Error::RowsAffected {
        expected: 1,
        actual: 0,
    })
}

/// Its machine is not well.
pub async fn degrade(conn: &mut PgConnection, id: AllocationId, code: &Code) -> Result<()> {
    let done = sqlx::query!(
        "update allocations set state = 'degraded', state_reason = $2
         where id = $1 and state = 'active'",
        id.uuid(),
        code.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// It is well again, from the instant that is given back. Not if somebody wants it to end, nor after
/// its lease.
pub async fn recover(conn: &mut PgConnection, id: AllocationId) -> Result<OffsetDateTime> {
    let now = sqlx::query_scalar!(
        r#"update allocations set state = 'active', state_reason = null
           where id = $1 and state = 'degraded' and release_requested_at is null
             and lease_ends_at > clock_timestamp()
           returning clock_timestamp() as "now!""#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    now.ok_or(crate::Error::RowsAffected {
        expected: 1,
        actual: 0,
    })
}

/// From any live state towards its end. The wish and its instant are in the row already.
pub async fn begin_release(
    conn: &mut PgConnection,
    id: AllocationId,
    from: AllocationState,
) -> Result<()> {
    let done = sqlx::query!(
        "update allocations set state = 'releasing', state_reason = release_reason
         where id = $1 and state = $2 and release_requested_at is not null",
        id.uuid(),
        from.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// To `released` or `failed`: nothing comes after.
pub async fn end(
    conn: &mut PgConnection,
    id: AllocationId,
    from: AllocationState,
    to: AllocationState,
    reason: Option<&Code>,
) -> Result<()> {
    let done = sqlx::query!(
        "update allocations set state = $3, ended_at = clock_timestamp(),
                state_reason = coalesce($4, state_reason)
         where id = $1 and state = $2",
        id.uuid(),
        from.as_str(),
        to.as_str(),
        reason.map(Code::as_str),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Something may be left on a node. Without a wish to end it, this is one: nobody can use it.
pub async fn fail_release(
    conn: &mut PgConnection,
    id: AllocationId,
    from: AllocationState,
    reason: &Code,
) -> Result<()> {
    let done = sqlx::query!(
        "update allocations
         set state = 'release_failed', state_reason = $3,
             release_reason = coalesce(release_reason, 'operator'),
             release_requested_at = coalesce(release_requested_at, clock_timestamp())
         where id = $1 and state = $2",
        id.uuid(),
        from.as_str(),
        reason.as_str(),
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Moves the lease's end by some seconds, at most to `max_seconds` from now. `None`: it would lie
/// further away, or the allocation is not in use.
pub async fn extend_lease(
    conn: &mut PgConnection,
    id: AllocationId,
    seconds: i64,
    max_seconds: i64,
) -> Result<Option<OffsetDateTime>> {
    Ok(sqlx::query_scalar!(
        r#"update allocations set lease_ends_at = lease_ends_at + $2::bigint * interval '1 second',
                  lease_warned_seconds = null
           where id = $1 and state in ('active', 'degraded') and release_requested_at is null
             and lease_ends_at + $2::bigint * interval '1 second'
                 <= clock_timestamp() + $3::bigint * interval '1 second'
           returning lease_ends_at as "lease_ends_at!""#,
        id.uuid(),
        seconds,
        max_seconds,
    )
    .fetch_optional(conn)
    .await?)
}

/// Notes that this warning of the lease's end was given.
pub async fn set_lease_warned(
    conn: &mut PgConnection,
    id: AllocationId,
    seconds: i64,
) -> Result<()> {
    let done = sqlx::query!(
        "update allocations set lease_warned_seconds = $2::bigint
         where id = $1 and state in ('active', 'degraded')",
        id.uuid(),
        seconds,
    )
    .execute(conn)
    .await?;
    one_row(&done)
}

/// Notes that the lease has ended as the wish to end the allocation, if it has.
pub async fn expire_lease(conn: &mut PgConnection, id: AllocationId) -> Result<bool> {
    let done = sqlx::query!(
        "update allocations set release_requested_at = lease_ends_at, release_reason = 'lease_expired'
         where id = $1 and state in ('active', 'degraded') and release_requested_at is null
           and lease_ends_at <= clock_timestamp()",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}
