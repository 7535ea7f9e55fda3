//! `PATCH /projects/{id}`

use domain::id::ProjectId;
use domain::name::Name;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Description, Project};
use crate::authorization::{Denied, On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::if_match::{IfMatch, Stale};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Write,
            idempotency: Idempotency::None,
            action: Some(&action::PROJECT_UPDATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateProject)]
struct Request {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    name: Option<Name>,
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Option<Description>,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no such project")]
    NotFound,
    #[error("a project of this name exists")]
    NameTaken,
    #[error(transparent)]
    Stale(#[from] Stale),
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Database(db::Error),
}

impl From<db::Error> for Error {
    fn from(error: db::Error) -> Self {
        match error.constraint() {
            Some("projects_name_unique") => Self::NameTaken,
            _ => Self::Database(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(Project::KIND),
            Error::NameTaken => Self::new(Code::NameTaken).detail(error.to_string()),
            Error::Stale(stale) => stale.into(),
            Error::Denied(denied) => denied.into(),
            Error::Database(error) => error.into(),
        }
    }
}

crate::answers_as_problem!(Error);

/// Change a project
#[utoipa::path(patch, path = "/api/v1/projects/{id}", params(("id" = String, Path)),
    request_body = Request,
    responses((status = 200, description = "The project as it is now", body = Project)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<ProjectId>,
    if_match: IfMatch,
    Body(request): Body<Request>,
) -> Result<Committed<Project>, Error> {
    let project = db::project::lock(mutation.conn(), id)
        .await?
        .ok_or(Error::NotFound)?;
    let mut mutation = mutation.authorize(On::Project(id))?;
    if_match.check(project.version)?;
    let name = request.name.as_ref().map(Name::as_str);
    let description = request.description.as_ref().map(|text| text.0.as_str());
    let project = db::project::update(mutation.conn(), id, name, description).await?;
    Ok(mutation.updated(Project::from(project)).await?)
}
