//! `GET /projects/{id}/members`

use domain::id::{ProjectId, UserId};
use utoipa_axum::routes;

use super::ProjectMember;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::{Code, Problem};
use crate::query::Path;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// List the members of a project
#[utoipa::path(get, path = "/api/v1/projects/{id}/members", params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<ProjectMember>)))]
async fn handler(
    mut reader: Reader,
    Path(project_id): Path<ProjectId>,
    paging: Paging,
) -> Result<Page<ProjectMember>, Problem> {
    let project = db::project::get(reader.conn(), project_id).await?;
    project.ok_or_else(|| Problem::not_found("project"))?;
    // The token holds the member's whole name, project and person.
    let after = paging
        .after::<ProjectMember, String>()?
        .map(|id| {
            let (_, user_id) = id.split_once('/')?;
            user_id.parse::<UserId>().ok()
        })
        .map(|id| id.ok_or_else(|| Problem::new(Code::InvalidPageToken)))
        .transpose()?;
    let conn = reader.conn();
    let members = db::project_member::list(conn, project_id, after, paging.rows()).await?;
    Ok(paging.page(members.into_iter().map(ProjectMember::from).collect()))
}
