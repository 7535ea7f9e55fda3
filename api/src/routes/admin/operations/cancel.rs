//! `POST /admin/operations/{id}:cancel`

use db::operation::Viewer;
use domain::id::OperationId;
use domain::operation::OperationKind;
use serde_json::json;
use utoipa_axum::routes;

use super::{Why, find, guard};
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::Endpoint;
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::OPERATION_CALL_OFF))
}

/// Call a billing run off
///
/// What it has billed stays; it ends before its next accounts. Other work of the platform cannot be
/// cancelled.
#[utoipa::path(post, path = "/api/v1/admin/operations/{id}:cancel",
    params(("id" = String, Path)), request_body = Why,
    responses((status = 202, description = "The wish is noted", body = OperationView)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<OperationId>,
    Body(why): Body<Why>,
) -> Result<Committed<OperationView>, Problem> {
    let operation = find(&mut mutation, id).await?;
    let mut permitted = mutation.authorize(On::Organization)?;
    permitted.note(json!({ "reason": why.reason.as_str() }));
    let conflict = |detail| Problem::new(Code::Conflict).detail(detail);
    if operation.kind != OperationKind::BillingRunCreate {
        return Err(conflict("only a billing run can be called off here"));
    }
    if !db::operation::request_cancel(permitted.conn(), id).await? {
        return Err(conflict("the operation has ended"));
    }
    let operation = db::operation::get(permitted.conn(), Viewer::Platform, id).await?;
    let operation = operation.ok_or_else(|| Problem::not_found(OperationView::KIND))?;
    let app = permitted.app();
    let view = OperationView::new(operation, &app.settings);
    Ok(permitted.accepted(view).await?)
}
