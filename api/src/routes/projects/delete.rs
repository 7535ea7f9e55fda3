//! `DELETE /projects/{id}`

use domain::id::ProjectId;
use utoipa_axum::routes;

use super::Project;
use crate::authorization::{Denied, On, action};
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
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
            action: Some(&action::PROJECT_DELETE),
        },
    )
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no such project")]
    NotFound,
    #[error("allocations of the project still hold GPUs; release them first")]
    InUse,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(Project::KIND),
            Error::InUse => Self::new(Code::InUse).detail(error.to_string()),
            Error::Denied(denied) => denied.into(),
            Error::Database(error) => error.into(),
        }
    }
}

crate::answers_as_problem!(Error);

/// Delete a project
///
/// Its allocations must be released before.
#[utoipa::path(delete, path = "/api/v1/projects/{id}", params(("id" = String, Path)),
    responses((status = 204, description = "The project is gone")))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<ProjectId>,
) -> Result<Committed<Project>, Error> {
    db::project::lock(mutation.conn(), id)
        .await?
        .ok_or(Error::NotFound)?;
    let mut mutation = mutation.authorize(On::Project(id))?;
    if db::project::in_use(mutation.conn(), id).await? {
        return Err(Error::InUse);
    }
    db::project::delete(mutation.conn(), id).await?;
    Ok(mutation.deleted(id).await?)
}
