//! `PATCH /organizations/{id}`

use domain::id::OrgId;
use domain::name::{Name, Slug};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Organization;
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
            action: Some(&action::ORGANIZATION_UPDATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UpdateOrganization)]
struct Request {
    #[schema(value_type = Option<String>, min_length = 1, max_length = 128)]
    name: Option<Name>,
    #[schema(value_type = Option<String>, min_length = 1, max_length = 63)]
    slug: Option<Slug>,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("no such organization")]
    NotFound,
    #[error("an organization of this slug exists")]
    SlugTaken,
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
            Some("organizations_slug_unique") => Self::SlugTaken,
            _ => Self::Database(error),
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::not_found(Organization::KIND),
            Error::SlugTaken => Self::new(Code::NameTaken).detail(error.to_string()),
            Error::Stale(stale) => stale.into(),
            Error::Denied(denied) => denied.into(),
            Error::Database(error) => error.into(),
        }
    }
}

crate::answers_as_problem!(Error);

/// Change an organization
#[utoipa::path(patch, path = "/api/v1/organizations/{id}", params(("id" = String, Path)),
    request_body = Request,
    responses((status = 200, description = "The organization as it is now", body = Organization)))]
async fn handler(
    mut mutation: Mutation,
    Path(id): Path<OrgId>,
    if_match: IfMatch,
    Body(request): Body<Request>,
) -> Result<Committed<Organization>, Error> {
    let current = db::organization::lock(mutation.conn(), id)
        .await?
        .ok_or(Error::NotFound)?;
    let mut mutation = mutation.authorize(On::Organization)?;
    if_match.check(current.version)?;
    let name = request.name.as_ref().map(Name::as_str);
    let slug = request.slug.as_ref().map(Slug::as_str);
    let organization = db::organization::update(mutation.conn(), id, name, slug).await?;
    Ok(mutation.updated(Organization::from(organization)).await?)
}
