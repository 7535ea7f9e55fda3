//! `POST /admin/operations/{id}:retry`

use contract::workflow_id;
use db::intent::{IntentKind, NewIntent};
use db::operation::Viewer;
use domain::id::OperationId;
use domain::operation::OperationKind;
use domain::policy::{OPERATION_DEADLINE, Scope};
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
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::OPERATION_RETRY))
}

/// Have the workflow of an open operation look again
///
/// It is woken, or started where none runs, and the operation has all its time ahead of it. What
/// has been done is not done twice. A release that has failed is tried again with the allocation's
/// `:retry-release`.
#[utoipa::path(post, path = "/api/v1/admin/operations/{id}:retry", params(("id" = String, Path)),
    request_body = Why,
    responses((status = 202, description = "Its workflow looks again", body = OperationView)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<OperationId>,
    Body(why): Body<Why>,
) -> Result<Committed<OperationView>, Problem> {
    let operation = find(&mut mutation, id).await?;
    let mut permitted = mutation.authorize(On::Organization)?;
    permitted.note(json!({ "reason": why.reason.as_str() }));
    let deadline = permitted
        .policy()?
        .value(&OPERATION_DEADLINE, Scope::Platform);
    if !db::operation::defer(permitted.conn(), id, deadline).await? {
        return Err(Problem::new(Code::Conflict).detail("the operation has ended"));
    }
    let wake = NewIntent {
        kind: IntentKind::Wake,
        org_id: operation.org_id,
        workflow_type: workflow_type(operation.kind),
        workflow_id: &operation.workflow_id,
        resource_id: operation.resource_id,
        operation_id: Some(id),
    };
    let intent = db::intent::append(permitted.conn(), &wake).await?;
    let operation = db::operation::get(permitted.conn(), Viewer::Platform, id).await?;
    let operation = operation.ok_or_else(|| Problem::not_found(OperationView::KIND))?;
    let app = permitted.app();
    let view = OperationView::new(operation, &app.settings);
    let answer = permitted.accepted(view).await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}

/// Whose order it is.
fn workflow_type(kind: OperationKind) -> &'static str {
    match kind.resource_kind() {
        "billing_run" => workflow_id::BILLING_RUN,
        "rotation" => workflow_id::KEY_ROTATION,
        "maintenance" => workflow_id::PARTITION_MAINTENANCE,
        "node" => workflow_id::NODE_ENROLLMENT,
        _ => workflow_id::ALLOCATION,
    }
}
