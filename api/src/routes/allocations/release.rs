//! `DELETE /allocations/{id}`

use domain::id::AllocationId;
use utoipa_axum::routes;

use super::AllocationView;
use super::order::{self, Release};
use crate::authorization::{On, action};
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
            idempotency: Idempotency::None,
            action: Some(&action::ALLOCATION_RELEASE),
        },
    )
}

/// Release an allocation
///
/// Its usage ends with this call; what it held is taken down afterwards. Calling again finds the
/// same operation while it is open, and tries once more after a release that failed. An
/// allocation that has ended is answered with the operation that ended it.
#[utoipa::path(delete, path = "/api/v1/allocations/{id}", params(("id" = String, Path)),
    responses(
        (status = 202, description = "It is going to end", body = OperationView),
        (status = 200, description = "It had ended before", body = OperationView)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<AllocationId>,
) -> Result<Committed<OperationView>, Problem> {
    let by = mutation.principal()?.clone();
    let row = db::allocation::lock(mutation.conn(), by.org_id, id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    let mut permitted = mutation.authorize(On::Project(row.project_id))?;
    let app = permitted.app();
    let view = |operation| OperationView::new(operation, &app.settings);
    let policy = permitted.policy()?;
    match order::release(permitted.conn(), &*policy, &by, &row).await? {
        Some(Release::UnderWay(operation, intent)) => {
            let answer = permitted.accepted(view(operation)).await?;
            if let Some(intent) = intent {
                delivery::spawn(&app, intent);
            }
            Ok(answer)
        }
        Some(Release::Over(operation)) => Ok(permitted.updated(view(operation)).await?),
        None => Err(Problem::new(Code::Internal)),
    }
}
