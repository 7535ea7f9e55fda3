//! Rows that call for a running workflow.

use domain::id::OrgId;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Result;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// The allocation or node.
    pub id: Uuid,
    pub org_id: Option<OrgId>,
}

/// Allocations that have not ended, by id, those after `after`. Left out is what moved within
/// `quiet_seconds`, and what is owed a start or wake: both are somebody's work already.
pub async fn allocations(
    conn: &mut PgConnection,
    quiet_seconds: i32,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Live>> {
    let rows = sqlx::query!(
        "select a.id, a.org_id from allocations a
         where a.state not in ('released', 'failed') and a.id > $2
           and a.updated_at < clock_timestamp() - make_interval(secs => $1)
           and not exists (select from workflow_intents i
                           where i.resource_id = a.id and i.delivered_at is null)
         order by a.id limit $3",
        f64::from(quiet_seconds),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    let live = |row: (Uuid, Uuid)| Live {
        id: row.0,
        org_id: Some(row.1.into()),
    };
    Ok(rows
        .into_iter()
        .map(|row| live((row.id, row.org_id)))
        .collect())
}

/// The same of nodes, which need one while an operation of theirs is open.
pub async fn nodes(
    conn: &mut PgConnection,
    quiet_seconds: i32,
    after: Uuid,
    limit: i64,
) -> Result<Vec<Live>> {
    let rows = sqlx::query_scalar!(
        "select n.id from nodes n
         where n.id > $2
           and exists (select from operations o where o.resource_id = n.id
                         and o.state in ('pending', 'running')
                         and o.updated_at < clock_timestamp() - make_interval(secs => $1))
           and not exists (select from workflow_intents i
                           where i.resource_id = n.id and i.delivered_at is null)
         order by n.id limit $3",
        f64::from(quiet_seconds),
        after,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|id| Live { id, org_id: None })
        .collect())
}

/// Whether it is owed a start or wake by now; holds every other sweep off until the transaction
/// ends.
pub async fn is_owed(conn: &mut PgConnection, id: Uuid) -> Result<bool> {
    let owed = sqlx::query_scalar!(
        r#"select exists (select from workflow_intents i
                          where i.resource_id = $1::uuid and i.delivered_at is null) as "owed!"
           from (select pg_advisory_xact_lock(hashtextextended(($1::uuid)::text, 0))) locked"#,
        id,
    )
    .fetch_one(conn)
    .await?;
    Ok(owed)
}
