//! `DELETE /organizations/{id}`

use domain::id::OrgId;
use utoipa_axum::routes;

use super::Organization;
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
            action: Some(&action::ORGANIZATION_DELETE),
        },
    )
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no such organization")]
    NotFound,
    #[error("allocations of the organization still hold GPUs; release them first")]
    InUse,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Database(#[from] db::Error),
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(Organization::KIND),
            Error::InUse => Self::new(Code::InUse).detail(error.to_string()),
            Error::Denied(denied) => denied.into(),
            Error::Database(error) => error.into(),
        }
    }
}

crate::answers_as_problem!(Error);

/// Delete an organization
///
/// Its allocations must be released before. Its keys open nothing from then on.
#[utoipa::path(delete, path = "/api/v1/organizations/{id}", params(("id" = String, Path)),
    responses((status = 204, description = "The organization is gone")))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<OrgId>,
) -> Result<Committed<Organization>, Error> {
    db::organization::lock(mutation.conn(), id)
        .await?
        .ok_or(Error::NotFound)?;
    let mut mutation = mutation.authorize(On::Organization)?;
    if db::organization::in_use(mutation.conn(), id).await? {
        return Err(Error::InUse);
    }
    db::organization::delete(mutation.conn(), id).await?;
    Ok(mutation.deleted(id).await?)
}
