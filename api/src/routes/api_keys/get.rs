//! `GET /api-keys/{id}`

use domain::id::ApiKeyId;
use utoipa_axum::routes;

use super::{ApiKey, visible_to};
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get an API key
#[utoipa::path(get, path = "/api/v1/api-keys/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The key, without its secret", body = ApiKey)))]
async fn handler(
    mut reader: Reader,
    principal: Principal,
    Path(id): Path<ApiKeyId>,
) -> Result<Found<ApiKey>, Problem> {
    let owner = visible_to(&principal);
    db::api_key::get(reader.conn(), id)
        .await?
        .filter(|key| owner.is_none_or(|owner| owner == key.user_id))
        .map(|key| Found(key.into()))
        .ok_or_else(|| Problem::not_found(ApiKey::KIND))
}
