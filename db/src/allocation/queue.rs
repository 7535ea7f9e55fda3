//! The queue for capacity of one SKU, in the order of arrival, and what the workflow sees of a row.

use domain::id::{AllocationId, OperationId, OrgId, ProjectId};
use domain::lease::Lease;
use domain::state::AllocationState;
use sqlx::PgConnection;

use crate::error::{Result, parse};

/// What the workflow chooses its next step by.
#[derive(Debug, Clone)]
pub struct View {
    pub org_id: OrgId,
    pub project_id: ProjectId,
    pub sku: String,
    pub state: AllocationState,
    pub attempts: i32,
    /// Whether something may be on the machine of the current try.
    pub touched: bool,
    pub release_requested: bool,
    /// The create operation while it is open.
    pub operation_id: Option<OperationId>,
    pub queue_remaining_seconds: i64,
    /// Once there is one, rounded up.
    pub lease: Option<Lease>,
}

/// Reads a row as the workflow sees it. Remaining times are rounded up, so that 0 means passed.
pub async fn view(conn: &mut PgConnection, id: AllocationId) -> Result<Option<View>> {
    let row = sqlx::query!(
        r#"select a.org_id, a.project_id, a.sku, a.state, a.attempts,
                  n.touched_at is not null as "touched!",
                  a.release_requested_at is not null or o.cancel_requested_at is not null as "release_requested!",
                  o.id as "operation_id?",
                  ceil(extract(epoch from coalesce(a.queued_at, a.created_at) - clock_timestamp())
                       + a.queue_timeout_seconds)::bigint as "queue_remaining_seconds!",
                  ceil(extract(epoch from a.lease_ends_at - clock_timestamp()))::bigint as lease_remaining_seconds,
                  ceil(extract(epoch from a.lease_ends_at - a.active_at))::bigint as lease_total_seconds,
                  a.lease_warned_seconds
           from allocations a
           left join allocation_nodes n
             on n.allocation_id = a.id and n.attempt = a.attempts and n.released_at is null
           left join operations o
             on o.resource_id = a.id and o.kind = 'allocation.create' and o.state in ('pending', 'running')
           where a.id = $1"#,
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(|row| {
        Ok(View {
            org_id: row.org_id.into(),
            project_id: row.project_id.into(),
            sku: row.sku,
            state: parse("allocations", "state", id, &row.state)?,
            attempts: row.attempts,
            touched: row.touched,
            release_requested: row.release_requested,
            operation_id: row.operation_id.map(OperationId::from),
            queue_remaining_seconds: row.queue_remaining_seconds,
            lease: row
                .lease_remaining_seconds
                .zip(row.lease_total_seconds)
                .map(|(remaining_seconds, total_seconds)| Lease {
                    total_seconds,
                    remaining_seconds,
                    warned_seconds: row.lease_warned_seconds.map(i64::from),
                }),
        })
    })
    .transpose()
}

/// The first in the queue, whoever wants to leave it not counted.
pub async fn head(conn: &mut PgConnection, sku: &str) -> Result<Option<AllocationId>> {
    let id = sqlx::query_scalar!(
        "select id from allocations
         where sku = $1 and state = 'queued' and release_requested_at is null
         order by queued_at, id limit 1",
        sku,
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(AllocationId::from))
}

/// How many wait.
pub async fn length(conn: &mut PgConnection, sku: &str) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from allocations where sku = $1 and state = 'queued'"#,
        sku,
    )
    .fetch_one(conn)
    .await?)
}

/// How long the first in the queue of a SKU has waited; 0 where nobody does.
#[derive(Debug, Clone)]
pub struct Wait {
    pub sku: String,
    pub oldest_wait_seconds: i64,
}

/// The waits of every SKU.
pub async fn waits(conn: &mut PgConnection) -> Result<Vec<Wait>> {
    Ok(sqlx::query_as!(
        Wait,
        r#"select s.name as sku,
                  coalesce(floor(extract(epoch from clock_timestamp() - min(a.queued_at))), 0)::bigint
                    as "oldest_wait_seconds!"
           from skus s left join allocations a on a.sku = s.name and a.state = 'queued'
           group by s.name"#,
    )
    .fetch_all(conn)
    .await?)
}

/// Lets admissions of one project queue behind each other until commit.
pub async fn lock_admissions(conn: &mut PgConnection, project: ProjectId) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('admission:' || $1::text, 0))",
        project.uuid().to_string(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// GPUs that a project's admitted live allocations asked for; `without` is not counted.
pub async fn admitted_gpus(
    conn: &mut PgConnection,
    project: ProjectId,
    without: Option<AllocationId>,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select coalesce(sum(gpu_count), 0) as "sum!" from allocations
           where project_id = $1 and id is distinct from $2
             and state not in ('requested', 'released', 'failed')"#,
        project.uuid(),
        without.map(AllocationId::uuid),
    )
    .fetch_one(conn)
    .await?)
}

/// Whether a SKU takes no new allocations.
pub async fn sku_is_retired(conn: &mut PgConnection, sku: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select retired_at is not null as "retired!" from skus where name = $1"#,
        sku,
    )
    .fetch_one(conn)
    .await?)
}

/// How a SKU stands, as every tenant may know it.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// GPUs that one machine could give at once.
    pub most_free_on_a_node: i64,
    /// Allocations that wait, whosever they are.
    pub queued_allocations: i64,
}

/// The room of one SKU; `None`: there is no such SKU.
pub async fn room(conn: &mut PgConnection, sku: &str) -> Result<Option<Room>> {
    Ok(sqlx::query_as!(
        Room,
        r#"select most_free_on_a_node as "most_free_on_a_node!", queued_allocations as "queued_allocations!"
           from sku_room where sku = $1"#,
        sku,
    )
    .fetch_optional(conn)
    .await?)
}
