//! `GET /admin/authorization-policies/{id}`

use domain::id::AuthorizationPolicyId;
use utoipa_axum::routes;

use super::AuthorizationPolicy;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// Get a rule
#[utoipa::path(get, path = "/api/v1/admin/authorization-policies/{id}",
    params(("id" = String, Path)),
    responses((status = 200, description = "The rule", body = AuthorizationPolicy)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<AuthorizationPolicyId>,
) -> Result<Found<AuthorizationPolicy>, Problem> {
    let row = db::authorization_policy::get(reader.conn(), id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AuthorizationPolicy::KIND))?;
    Ok(Found(row.into()))
}
