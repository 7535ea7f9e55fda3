//! `DELETE /projects/{id}/members/{user_id}`

use domain::id::{ProjectId, UserId};
use utoipa_axum::routes;

use super::ProjectMember;
use crate::authorization::{On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Write,
            idempotency: Idempotency::None,
            action: Some(&action::MEMBER_REMOVE),
        },
    )
}

/// Remove a member from a project
///
/// A role in the organization stays.
#[utoipa::path(delete, path = "/api/v1/projects/{id}/members/{user_id}",
    params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 204, description = "The member is gone")))]
async fn handler(
    mut mutation: Mutation,
    Path((project_id, user_id)): Path<(ProjectId, UserId)>,
) -> Result<Committed<ProjectMember>, Problem> {
    let found = db::project_member::lock(mutation.conn(), project_id, user_id).await?;
    found.ok_or_else(|| Problem::not_found("member"))?;
    let mut mutation = mutation.authorize(On::Project(project_id))?;
    db::project_member::delete(mutation.conn(), project_id, user_id).await?;
    Ok(mutation.deleted(super::id(project_id, user_id)).await?)
}
