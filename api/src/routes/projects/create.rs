//! `POST /projects`

use domain::name::Name;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::{Description, Project};
use crate::authorization::{Denied, On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::Principal,
            rate: RateClass::Write,
            idempotency: Idempotency::of::<Project>(),
            action: Some(&action::PROJECT_CREATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateProject)]
struct Request {
    /// Unique in the organization.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    name: Name,
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1024)]
    description: Description,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("a project of this name exists")]
    NameTaken,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Problem(#[from] Problem),
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
            Error::NameTaken => Self::new(Code::NameTaken).detail(error.to_string()),
            Error::Denied(denied) => denied.into(),
            Error::Problem(problem) => problem,
            Error::Database(error) => error.into(),
        }
    }
}

crate::answers_as_problem!(Error);

/// Create a project
#[utoipa::path(post, path = "/api/v1/projects", request_body = Request,
    responses((status = 201, description = "The new project", body = Project)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<Project>, Error> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let org_id = mutation.principal()?.org_id;
    let new = db::project::NewProject {
        id: db::id::fresh(),
        org_id,
        name: request.name.as_str(),
        description: &request.description.0,
    };
    let project = db::project::insert(mutation.conn(), new).await?;
    Ok(mutation.created(Project::from(project)).await?)
}
