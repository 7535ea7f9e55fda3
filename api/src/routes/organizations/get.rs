//! `GET /organizations/{id}`

use domain::id::OrgId;
use utoipa_axum::routes;

use super::{Organization, READ};
use crate::call::Reader;
use crate::endpoint::Endpoint;
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), READ)
}

/// Get an organization
#[utoipa::path(get, path = "/api/v1/organizations/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The organization", body = Organization)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<OrgId>,
) -> Result<Found<Organization>, Problem> {
    let organization = db::organization::get(reader.conn(), id).await?;
    let organization = organization.ok_or_else(|| Problem::not_found(Organization::KIND))?;
    Ok(Found(organization.into()))
}
