//! `POST /organizations`

use domain::name::{Email, Name, Slug};
use domain::role::Role;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::Organization;
use crate::authorization::{Denied, On, action};
use crate::body::Body;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(
        routes!(handler),
        Guard {
            authentication: Authentication::PlatformOperator,
            rate: RateClass::Admin,
            idempotency: Idempotency::of::<Organization>(),
            action: Some(&action::ORGANIZATION_CREATE),
        },
    )
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateOrganization)]
struct Request {
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    name: Name,
    /// Unique over the installation; a DNS label.
    #[schema(value_type = String, min_length = 1, max_length = 63)]
    slug: Slug,
    owner: Owner,
}

/// The first person of the organization. Whoever is known by the address already is taken as is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CreateOrganizationOwner)]
struct Owner {
    #[schema(value_type = String, max_length = 254)]
    email: Email,
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    display_name: Name,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("an organization of this slug exists")]
    SlugTaken,
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
            Error::SlugTaken => Self::new(Code::NameTaken).detail(error.to_string()),
            Error::Denied(denied) => denied.into(),
            Error::Database(error) => error.into(),
        }
    }
}

crate::answers_as_problem!(Error);

/// Create an organization and its owner
#[utoipa::path(post, path = "/api/v1/organizations", request_body = Request,
    responses((status = 201, description = "The new organization", body = Organization)))]
async fn handler(
    mutation: Mutation,
    Body(request): Body<Request>,
) -> Result<Committed<Organization>, Error> {
    let mut mutation = mutation.authorize(On::Organization)?;
    let (id, name, slug) = (
        db::id::fresh(),
        request.name.as_str(),
        request.slug.as_str(),
    );
    let organization = db::organization::insert(mutation.conn(), id, name, slug).await?;
    let owner = &request.owner;
    let (email, name) = (owner.email.as_str(), owner.display_name.as_str());
    let conn = mutation.conn();
    let owner = db::user::find_or_insert(conn, db::id::fresh(), email, name).await?;
    db::membership::insert(mutation.conn(), id, owner, Role::Owner).await?;
    Ok(mutation.created(Organization::from(organization)).await?)
}
