//! What every order to an allocation's workflow has in common: an operation, and the intent that
//! makes the workflow look at it.

use contract::workflow_id;
use db::PgConnection;
use db::intent::{Intent, IntentKind, NewIntent};
use db::operation::{NewOperation, Operation, Viewer};
use domain::id::{AllocationId, OrgId, ProjectId, UserId};
use domain::operation::OperationKind;
use domain::policy::{OPERATION_DEADLINE, Scope};
use domain::reason::ReleaseReason;
use domain::state::AllocationState;

use crate::authentication::Principal;
use crate::policy::PolicyClient;

/// Something that the workflow of an allocation is to do.
pub(crate) struct Order {
    pub(crate) org_id: OrgId,
    pub(crate) allocation_id: AllocationId,
    pub(crate) requested_by: UserId,
    pub(crate) kind: OperationKind,
    /// Ids and numbers only.
    pub(crate) params: serde_json::Value,
    /// Open for longer than this, it is stuck.
    pub(crate) deadline_seconds: i64,
}

impl Order {
    /// Writes the operation and what its workflow is owed.
    pub(crate) async fn place(self, conn: &mut PgConnection) -> db::Result<(Operation, Intent)> {
        let workflow_id = workflow_id::allocation(self.allocation_id);
        let new = NewOperation {
            id: db::id::fresh(),
            org_id: Some(self.org_id),
            kind: self.kind,
            resource_id: self.allocation_id.uuid(),
            workflow_id: &workflow_id,
            requested_by: Some(self.requested_by),
            params: self.params,
            deadline_seconds: self.deadline_seconds,
        };
        let operation = db::operation::insert(&mut *conn, &new).await?;
        let owed = NewIntent {
            kind: match self.kind {
                OperationKind::AllocationCreate => IntentKind::Start,
                _ => IntentKind::Wake,
            },
            org_id: Some(self.org_id),
            workflow_type: workflow_id::ALLOCATION,
            workflow_id: &workflow_id,
            resource_id: self.allocation_id.uuid(),
            operation_id: Some(operation.id),
        };
        let intent = db::intent::append(conn, &owed).await?;
        Ok((operation, intent))
    }
}

/// How long an order may be open before somebody looks at it.
pub(super) fn deadline_seconds(policy: &dyn PolicyClient, org: OrgId, project: ProjectId) -> i64 {
    policy.value(&OPERATION_DEADLINE, Scope::Project(org, project))
}

/// What came of the wish to end an allocation.
pub(super) enum Release {
    /// It is going to end; an intent, if this wish is the first.
    UnderWay(Operation, Option<Intent>),
    /// It had ended before, by this operation.
    Over(Operation),
}

/// Kinds of operations that may have ended an allocation, and which one did.
const ENDING: &[OperationKind] = &[
    OperationKind::AllocationRelease,
    OperationKind::AllocationRetryRelease,
    OperationKind::AllocationForceRelease,
];

/// Writes down the wish to end an allocation, whose row the caller holds. Wishing again changes
/// nothing: it finds the operation that is open. After a release that failed, it is one more try.
pub(super) async fn release(
    conn: &mut PgConnection,
    policy: &dyn PolicyClient,
    by: &Principal,
    allocation: &db::allocation::Allocation,
) -> db::Result<Option<Release>> {
    let viewer = Viewer::Organization(allocation.org_id);
    let resource = allocation.id.uuid();
    let last = db::operation::latest(&mut *conn, viewer, resource, ENDING).await?;
    if !allocation.state.is_live() {
        let over = if let Some(last) = last {
            Some(last)
        } else {
            let create = &[OperationKind::AllocationCreate];
            db::operation::latest(conn, viewer, resource, create).await?
        };
        return Ok(over.map(Release::Over));
    }
    if let Some(open) = last.filter(Operation::is_open) {
        return Ok(Some(Release::UnderWay(open, None)));
    }
    db::allocation::request_release(&mut *conn, allocation.id, ReleaseReason::UserRequest).await?;
    let order = Order {
        org_id: allocation.org_id,
        allocation_id: allocation.id,
        requested_by: by.user_id,
        kind: match allocation.state {
            AllocationState::ReleaseFailed => OperationKind::AllocationRetryRelease,
            _ => OperationKind::AllocationRelease,
        },
        params: serde_json::json!({}),
        deadline_seconds: deadline_seconds(policy, allocation.org_id, allocation.project_id),
    };
    let (operation, intent) = order.place(conn).await?;
    Ok(Some(Release::UnderWay(operation, Some(intent))))
}
