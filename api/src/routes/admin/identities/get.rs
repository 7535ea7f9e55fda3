//! `GET /admin/identities/{id}`

use domain::id::IdentityId;
use utoipa_axum::routes;

use super::Identity;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// Get a linked identity
#[utoipa::path(get, path = "/api/v1/admin/identities/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The link", body = Identity)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<IdentityId>,
) -> Result<Found<Identity>, Problem> {
    let identity = db::identity::get(reader.conn(), id).await?;
    identity
        .map(|identity| Found(identity.into()))
        .ok_or_else(|| Problem::not_found(Identity::KIND))
}
