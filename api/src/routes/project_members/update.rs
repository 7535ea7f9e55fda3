//! `PATCH /projects/{id}/members/{user_id}`

use domain::id::{ProjectId, UserId};
use domain::role::ProjectRole;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::ProjectMember;
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::if_match::IfMatch;
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
            action: Some(&action::MEMBER_UPDATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateProjectMember)]
struct Request {
    /// `viewer`, `member` or `admin`.
    #[schema(value_type = String)]
    role: ProjectRole,
}

/// Change a member's role in a project
#[utoipa::path(patch, path = "/api/v1/projects/{id}/members/{user_id}",
    params(("id" = String, Path), ("user_id" = String, Path)), request_body = Request,
    responses((status = 200, description = "The member as it is now", body = ProjectMember)))]
async fn handler(
    mut mutation: Mutation,
    Path((project_id, user_id)): Path<(ProjectId, UserId)>,
    if_match: IfMatch,
    Body(request): Body<Request>,
) -> Result<Committed<ProjectMember>, Problem> {
    let absent = || Problem::not_found("member");
    let version = db::project_member::lock(mutation.conn(), project_id, user_id).await?;
    let version = version.ok_or_else(absent)?;
    let mut mutation = mutation.authorize(On::Project(project_id))?;
    if_match.check(version)?;
    let conn = mutation.conn();
    db::project_member::set_role(conn, project_id, user_id, request.role).await?;
    let member = db::project_member::get(conn, project_id, user_id)
        .await?
        .ok_or_else(absent)?;
    Ok(mutation.updated(ProjectMember::from(member)).await?)
}
