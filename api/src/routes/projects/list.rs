//! `GET /projects`

use domain::id::ProjectId;
use utoipa_axum::routes;

use super::Project;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// List projects, oldest first
#[utoipa::path(get, path = "/api/v1/projects", params(Paging),
    responses((status = 200, description = "One page", body = Page<Project>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<Project>, Problem> {
    let after = paging.after::<Project, ProjectId>()?;
    let projects = db::project::list(reader.conn(), after, paging.rows()).await?;
    Ok(paging.page(projects.into_iter().map(Project::from).collect()))
}
