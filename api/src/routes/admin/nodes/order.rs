//! Having a machine looked at: an operation, and the intent that makes its workflow do it.

use contract::workflow_id;
use db::PgConnection;
use db::intent::{Intent, IntentKind, NewIntent};
use db::operation::{NewOperation, Operation};
use domain::id::{NodeId, UserId};
use domain::operation::OperationKind;
use domain::policy::{OPERATION_DEADLINE, Scope};

use crate::policy::PolicyClient;

/// Writes the operation and what the node's workflow is owed.
pub(super) async fn place(
    conn: &mut PgConnection,
    kind: OperationKind,
    node: NodeId,
    by: UserId,
    policy: &dyn PolicyClient,
) -> db::Result<(Operation, Intent)> {
    let workflow_id = workflow_id::node(node);
    let new = NewOperation {
        id: db::id::fresh(),
        org_id: None,
        kind,
        resource_id: node.uuid(),
        workflow_id: &workflow_id,
        requested_by: Some(by),
        params: serde_json::json!({}),
        deadline_seconds: policy.value(&OPERATION_DEADLINE, Scope::Platform),
    };
    let operation = db::operation::insert(&mut *conn, &new).await?;
    let owed = NewIntent {
        kind: match kind {
            OperationKind::NodeEnroll => IntentKind::Start,
            _ => IntentKind::Wake,
        },
        org_id: None,
        workflow_type: workflow_id::NODE_ENROLLMENT,
        workflow_id: &workflow_id,
        resource_id: node.uuid(),
        operation_id: Some(operation.id),
    };
    let intent = db::intent::append(conn, &owed).await?;
    Ok((operation, intent))
}
