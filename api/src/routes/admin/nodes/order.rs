//! Having a machine looked at: an operation, and the intent that makes its workflow do it.

use contract::workflow_id;
use db::PgConnection;
use db::intent::{Intent, IntentKind};
use db::operation::Operation;
use domain::id::{NodeId, UserId};
use domain::operation::OperationKind;
use domain::policy::{OPERATION_DEADLINE, Scope};

use crate::policy::PolicyClient;
use crate::routes::admin::work::{self, Work};

/// Writes the operation and what the node's workflow is owed.
pub(super) async fn place(
    conn: &mut PgConnection,
    kind: OperationKind,
    node: NodeId,
    by: UserId,
    policy: &dyn PolicyClient,
) -> db::Result<(Operation, Intent)> {
    let owed = match kind {
        OperationKind::NodeEnroll => IntentKind::Start,
        _ => IntentKind::Wake,
    };
    let work = Work {
        kind,
        resource_id: node.uuid(),
        workflow_type: workflow_id::NODE_ENROLLMENT,
        workflow_id: &workflow_id::node(node),
        requested_by: by,
        deadline_seconds: policy.value(&OPERATION_DEADLINE, Scope::Platform),
    };
    work::place(conn, work, owed).await
}
