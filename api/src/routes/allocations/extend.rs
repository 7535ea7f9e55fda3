//! `POST /allocations/{id}:extend`

use domain::id::AllocationId;
use domain::operation::OperationKind;
use domain::policy::{self, Scope};
use domain::state::AllocationState;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AllocationView;
use super::order::{self, Order};
use crate::authorization::{On, action};
use crate::body::Body;
use crate::delivery;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Provision,
            idempotency: Idempotency::of::<OperationView>(),
            action: Some(&action::ALLOCATION_EXTEND),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ExtendAllocation)]
struct Request {
    /// How much later the lease ends. From now to its new end, policy sets a limit, which is
    /// checked when the order is carried out.
    #[schema(minimum = 1)]
    lease_seconds: i64,
}

/// Extend the lease of a running allocation
#[utoipa::path(post, path = "/api/v1/allocations/{id}:extend", params(("id" = String, Path)),
    request_body = Request,
    responses((status = 202, description = "The order is placed", body = OperationView)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<AllocationId>,
    Body(request): Body<Request>,
) -> Result<Committed<OperationView>, Problem> {
    let by = mutation.principal()?.clone();
    let row = db::allocation::lock(mutation.conn(), by.org_id, id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    let mut permitted = mutation.authorize(On::Project(row.project_id))?;
    let runs = matches!(
        row.state,
        AllocationState::Active | AllocationState::Degraded
    );
    if !runs || row.release_requested_at.is_some() {
        return Err(Problem::new(Code::Conflict).detail("only a running allocation has a lease"));
    }
    let scope = Scope::Project(by.org_id, row.project_id);
    let longest = permitted.policy()?.value(&policy::LEASE_MAX, scope);
    if !(1..=longest).contains(&request.lease_seconds) {
        return Err(Problem::invalid(
            "/lease_seconds",
            format!("must be between 1 and {longest}"),
        ));
    }
    let order = Order {
        org_id: by.org_id,
        allocation_id: id,
        requested_by: by.user_id,
        kind: OperationKind::AllocationExtend,
        params: json!({ "lease_seconds": request.lease_seconds }),
        deadline_seconds: order::deadline_seconds(&*permitted.policy()?, by.org_id, row.project_id),
    };
    let (operation, intent) = order.place(permitted.conn()).await?;
    let app = permitted.app();
    let answer = permitted
        .accepted(OperationView::new(operation, &app.settings))
        .await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}
