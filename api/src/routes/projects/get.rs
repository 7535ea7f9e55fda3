//! `GET /projects/{id}`

use domain::id::ProjectId;
use utoipa_axum::routes;

use super::Project;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get a project
#[utoipa::path(get, path = "/api/v1/projects/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The project", body = Project)))]
async fn handler(mut reader: Reader, Path(id): Path<ProjectId>) -> Result<Found<Project>, Problem> {
    let project = db::project::get(reader.conn(), id).await?;
    let project = project.ok_or_else(|| Problem::not_found(Project::KIND))?;
    Ok(Found(project.into()))
}
