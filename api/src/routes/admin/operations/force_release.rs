//! `POST /admin/operations/{id}:force-release`

use db::operation::Viewer;
use domain::id::{AllocationId, OperationId};
use domain::operation::OperationKind;
use domain::policy::{OPERATION_DEADLINE, Scope};
use domain::state::AllocationState;
use serde_json::json;
use utoipa_axum::routes;

use super::{Why, find, guard};
use crate::authorization::{On, action};
use crate::body::Body;
use crate::delivery;
use crate::endpoint::Endpoint;
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::allocations::Order;
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::OPERATION_FORCE_RELEASE))
}

/// End an allocation whose release has failed
///
/// Nothing is removed and nothing is proved: its node goes into quarantine, its GPUs stay out of
/// the pool, and both come back only by a check of the node that removes what may be left. The
/// operation is any of the allocation's.
#[utoipa::path(post, path = "/api/v1/admin/operations/{id}:force-release",
    params(("id" = String, Path)), request_body = Why,
    responses((status = 202, description = "It is given up", body = OperationView)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<OperationId>,
    Body(why): Body<Why>,
) -> Result<Committed<OperationView>, Problem> {
    let operation = find(&mut mutation, id).await?;
    let by = mutation.principal()?.user_id;
    let conflict = |detail| Problem::new(Code::Conflict).detail(detail);
    let Some(org_id) = operation.org_id else {
        return Err(conflict("the operation is not about an allocation"));
    };
    let allocation_id = AllocationId::from_uuid(operation.resource_id);
    let row = db::allocation::lock(mutation.conn(), org_id, allocation_id).await?;
    let row = row.ok_or_else(|| Problem::not_found(OperationView::KIND))?;
    let mut permitted = mutation.authorize(On::Organization)?;
    permitted.note(json!({
        "reason": why.reason.as_str(),
        "allocation_id": allocation_id,
    }));
    if row.state != AllocationState::ReleaseFailed {
        return Err(conflict("no release of the allocation has failed"));
    }
    let kind = OperationKind::AllocationForceRelease;
    let (viewer, resource) = (Viewer::Platform, operation.resource_id);
    let last = db::operation::latest(permitted.conn(), viewer, resource, &[kind]).await?;
    let app = permitted.app();
    if let Some(open) = last.filter(db::operation::Operation::is_open) {
        let view = OperationView::new(open, &app.settings);
        return Ok(permitted.accepted(view).await?);
    }
    let order = Order {
        org_id,
        allocation_id,
        requested_by: by,
        kind,
        params: json!({}),
        deadline_seconds: permitted
            .policy()?
            .value(&OPERATION_DEADLINE, Scope::Platform),
    };
    let (placed, intent) = order.place(permitted.conn()).await?;
    let view = OperationView::new(placed, &app.settings);
    let answer = permitted.accepted(view).await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}
