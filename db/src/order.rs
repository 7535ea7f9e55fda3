//! Operations as the workflows that carry them out see them. What people see is in
//! [`crate::operation`].

use domain::id::OperationId;
use domain::operation::OperationKind;
use domain::reason::Code;
use domain::state::{OperationState, StateMachine};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Result, parse};

/// An operation that is still open.
#[derive(Debug, Clone)]
pub struct Order {
    pub id: OperationId,
    pub kind: OperationKind,
    pub resource_id: Uuid,
    pub params: Value,
    pub cancel_requested_at: Option<OffsetDateTime>,
}

/// The oldest open operation of a resource among some kinds.
pub async fn oldest(
    conn: &mut PgConnection,
    resource: Uuid,
    kinds: &[OperationKind],
) -> Result<Option<Order>> {
    let kinds: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
    let row = sqlx::query_as!(
        Row,
        "select id, kind, resource_id, params, cancel_requested_at from operations
         where resource_id = $1 and kind = any($2) and state in ('pending', 'running')
         order by seq limit 1",
        resource,
        &kinds,
    )
    .fetch_optional(conn)
    .await?;
    row.map(Row::read).transpose()
}

/// One operation. `None`: it has ended.
pub async fn get(conn: &mut PgConnection, id: OperationId) -> Result<Option<Order>> {
    let row = sqlx::query_as!(
        Row,
        "select id, kind, resource_id, params, cancel_requested_at from operations
         where id = $1 and state in ('pending', 'running')",
        id.uuid(),
    )
    .fetch_optional(conn)
    .await?;
    row.map(Row::read).transpose()
}

/// Marks an operation as under way.
pub async fn start(conn: &mut PgConnection, id: OperationId) -> Result<()> {
    sqlx::query!(
        "update operations set state = 'running' where id = $1 and state = 'pending'",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Ends an operation; one that has ended stays as it is. Steps that did not come to their end are
/// skipped.
pub async fn finish(
    conn: &mut PgConnection,
    id: OperationId,
    state: OperationState,
    reason: Option<&Code>,
) -> Result<()> {
    let ended = sqlx::query!(
        "update operations set state = $2, error = $3, ended_at = clock_timestamp()
         where id = $1 and state in ('pending', 'running')",
        id.uuid(),
        state.as_str(),
        reason.map(Code::problem),
    )
    .execute(&mut *conn)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(());
    }
    sqlx::query!(
        "update operation_steps set state = 'skipped', ended_at = clock_timestamp()
         where operation_id = $1 and state in ('pending', 'running')",
        id.uuid(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Open operations of a resource, oldest first.
pub async fn open(conn: &mut PgConnection, resource: Uuid) -> Result<Vec<Order>> {
    let rows = sqlx::query_as!(
        Row,
        "select id, kind, resource_id, params, cancel_requested_at from operations
         where resource_id = $1 and state in ('pending', 'running') order by seq",
        resource,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(Row::read).collect()
}

struct Row {
    id: Uuid,
    kind: String,
    resource_id: Uuid,
    params: Value,
    cancel_requested_at: Option<OffsetDateTime>,
}

impl Row {
    fn read(self) -> Result<Order> {
        Ok(Order {
            kind: parse("operations", "kind", self.id, &self.kind)?,
            id: self.id.into(),
            resource_id: self.resource_id,
            params: self.params,
            cancel_requested_at: self.cancel_requested_at,
        })
    }
}
