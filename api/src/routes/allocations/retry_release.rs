//! `POST /allocations/{id}:retry-release`

use domain::id::AllocationId;
use domain::state::AllocationState;
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
            idempotency: Idempotency::of::<OperationView>(),
            action: Some(&action::ALLOCATION_RETRY_RELEASE),
        },
    )
}

/// Try a release that failed once more
#[utoipa::path(post, path = "/api/v1/allocations/{id}:retry-release",
    params(("id" = String, Path)),
    responses((status = 202, description = "It is tried again", body = OperationView)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<AllocationId>,
) -> Result<Committed<OperationView>, Problem> {
    let by = mutation.principal()?.clone();
    let row = db::allocation::lock(mutation.conn(), by.org_id, id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    let mut permitted = mutation.authorize(On::Project(row.project_id))?;
    let failed = row.state == AllocationState::ReleaseFailed;
    let conflict = || Problem::new(Code::Conflict).detail("no release of it has failed");
    if !failed {
        return Err(conflict());
    }
    let policy = permitted.policy()?;
    match order::release(permitted.conn(), &*policy, &by, &row).await? {
        Some(Release::UnderWay(operation, intent)) => {
            let app = permitted.app();
            let view = OperationView::new(operation, &app.settings);
            let answer = permitted.accepted(view).await?;
            if let Some(intent) = intent {
                delivery::spawn(&app, intent);
            }
            Ok(answer)
        }
        Some(Release::Over(_)) | None => Err(conflict()),
    }
}
