//! `GET /projects/{id}/members/{user_id}`

use domain::id::{ProjectId, UserId};
use utoipa_axum::routes;

use super::ProjectMember;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Found;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get a member of a project
#[utoipa::path(get, path = "/api/v1/projects/{id}/members/{user_id}",
    params(("id" = String, Path), ("user_id" = String, Path)),
    responses((status = 200, description = "The member", body = ProjectMember)))]
async fn handler(
    mut reader: Reader,
    Path((project_id, user_id)): Path<(ProjectId, UserId)>,
) -> Result<Found<ProjectMember>, Problem> {
    let member = db::project_member::get(reader.conn(), project_id, user_id).await?;
    let member = member.ok_or_else(|| Problem::not_found("member"))?;
    Ok(Found(member.into()))
}
