//! `POST /operations/{id}:cancel`

use contract::workflow_id;
use db::intent::{IntentKind, NewIntent};
use domain::id::{AllocationId, OperationId};
use domain::operation::OperationKind;
use domain::reason::ReleaseReason;
use utoipa_axum::routes;

use super::{OperationView, viewer};
use crate::authorization::{On, action};
use crate::delivery;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PrincipalOrOperator,
            rate: RateClass::Write,
            idempotency: Idempotency::of::<OperationView>(),
            action: Some(&action::OPERATION_CANCEL),
        },
    )
}

/// Cancel an operation
///
/// A wish: what was done so far is taken back, and the operation may still come to its end first.
/// Cancelling the creation of an allocation releases it. A release cannot be cancelled, nor can
/// the check of a node.
#[utoipa::path(post, path = "/api/v1/operations/{id}:cancel", params(("id" = String, Path)),
    responses((status = 202, description = "The wish is noted", body = OperationView)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<OperationId>,
) -> Result<Committed<OperationView>, Problem> {
    let principal = mutation.principal()?;
    let (org, viewer) = (principal.org_id, viewer(principal));
    let missing = || Problem::not_found(OperationView::KIND);
    let operation = db::operation::get(mutation.conn(), viewer, id)
        .await?
        .ok_or_else(missing)?;
    if operation.org_id.is_none() {
        return Err(Problem::new(Code::Conflict)
            .detail("work of the platform is cancelled under /admin/operations, if at all"));
    }
    let allocation_id = AllocationId::from_uuid(operation.resource_id);
    // The allocation first, then its operation: the order in which its workflow holds them.
    let allocation = db::allocation::lock(mutation.conn(), org, allocation_id).await?;
    let allocation = allocation.ok_or_else(missing)?;
    let mut permitted = mutation.authorize(On::Project(allocation.project_id))?;
    if operation.kind.is_release() {
        return Err(Problem::new(Code::Conflict).detail("a release cannot be cancelled"));
    }
    if !db::operation::request_cancel(permitted.conn(), id).await? {
        return Err(Problem::new(Code::Conflict).detail("the operation has ended"));
    }
    if operation.kind == OperationKind::AllocationCreate {
        let reason = ReleaseReason::Cancelled;
        db::allocation::request_release(permitted.conn(), allocation_id, reason).await?;
    }
    let wake = NewIntent {
        kind: IntentKind::Wake,
        org_id: Some(org),
        workflow_type: workflow_id::ALLOCATION,
        workflow_id: &operation.workflow_id,
        resource_id: operation.resource_id,
        operation_id: Some(id),
    };
    let intent = db::intent::append(permitted.conn(), &wake).await?;
    let operation = db::operation::get(permitted.conn(), viewer, id)
        .await?
        .ok_or_else(missing)?;
    let app = permitted.app();
    let answer = permitted
        .accepted(OperationView::new(operation, &app.settings))
        .await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}
