//! Work of the platform's own: an operation, and the intent that makes its workflow do it.

use db::PgConnection;
use db::intent::{Intent, IntentKind, NewIntent};
use db::operation::{NewOperation, Operation};
use domain::id::UserId;
use domain::operation::OperationKind;
use uuid::Uuid;

/// What is to be done, by whom, on whose order.
pub(super) struct Work<'a> {
    pub(super) kind: OperationKind,
    pub(super) resource_id: Uuid,
    pub(super) workflow_type: &'static str,
    pub(super) workflow_id: &'a str,
    pub(super) requested_by: UserId,
    /// Open for longer than this, it is stuck.
    pub(super) deadline_seconds: i64,
}

/// Writes the operation and what the workflow is owed.
pub(super) async fn place(
    conn: &mut PgConnection,
    work: Work<'_>,
    owed: IntentKind,
) -> db::Result<(Operation, Intent)> {
    let new = NewOperation {
        id: db::id::fresh(),
        org_id: None,
        kind: work.kind,
        resource_id: work.resource_id,
        workflow_id: work.workflow_id,
        requested_by: Some(work.requested_by),
        params: serde_json::json!({}),
        deadline_seconds: work.deadline_seconds,
    };
    let operation = db::operation::insert(&mut *conn, &new).await?;
    let intent = NewIntent {
        kind: owed,
        org_id: None,
        workflow_type: work.workflow_type,
        workflow_id: work.workflow_id,
        resource_id: work.resource_id,
        operation_id: Some(operation.id),
    };
    let intent = db::intent::append(conn, &intent).await?;
    Ok((operation, intent))
}
