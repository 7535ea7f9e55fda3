//! Rows that call for a running workflow.

use domain::id::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Result;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The allocation, node or billing run.
    pub id: Uuid,
    /// `None`: the one that follows from `id`.
    pub workflow_id: Option<String>,
    pub org_id: Option<OrgId>,
}

/// Those of one type of workflow, by id, after `after`. Left out is what moved within
/// `quiet_seconds`, and what is owed a start or wake: both are somebody's work already. One that
/// became a dead letter is owed no more.
pub async fn page(
    conn: &mut PgConnection,
    workflow_type: &str,
    quiet_seconds: i32,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Live>> {
    let rows = sqlx::query!(
        r#"select w.id as "id!", w.org_id, w.workflow_id from workflow_owners w
           where w.workflow_type = $1 and w.id > $3
             and w.moved_at < clock_timestamp() - make_interval(secs => $2)
             and not exists (select from workflow_intents i where i.resource_id = w.id
                               and i.delivered_at is null and i.dead_at is null)
           order by w.id limit $4"#,
        workflow_type,
        f64::from(quiet_seconds),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let live = rows.into_iter().map(|row| Live {
        id: row.id,
        workflow_id: row.workflow_id,
        org_id: row.org_id.map(OrgId::from),
    });
    Ok(live.collect())
}

/// Keeps every other sweep off one row until the transaction ends.
pub async fn lock(conn: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('sweep:' || ($1::uuid)::text, 0))",
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether it calls for a workflow still, and is owed none.
pub async fn is_unserved(conn: &mut PgConnection, workflow_type: &str, id: Uuid) -> Result<bool> {
    let unserved = sqlx::query_scalar!(
        r#"select exists (select from workflow_owners w where w.workflow_type = $1 and w.id = $2)
             and not exists (select from workflow_intents i where i.resource_id = $2
                               and i.delivered_at is null and i.dead_at is null) as "unserved!""#,
        workflow_type,
        id,
    )
    .fetch_one(conn)
    .await?;
    Ok(unserved)
}
