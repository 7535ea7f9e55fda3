//! `GET /api-keys`

use domain::id::ApiKeyId;
use utoipa_axum::routes;

use super::{ApiKey, visible_to};
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// List API keys, oldest first
///
/// The caller's own; admins see everybody's. Expired and revoked ones are listed, too.
#[utoipa::path(get, path = "/api/v1/api-keys", params(Paging),
    responses((status = 200, description = "One page", body = Page<ApiKey>)))]
async fn handler(
    mut reader: Reader,
    principal: Principal,
    paging: Paging,
) -> Result<Page<ApiKey>, Problem> {
    let after = paging.after::<ApiKey, ApiKeyId>()?;
    let owner = visible_to(&principal);
    let keys = db::api_key::list(reader.conn(), owner, after, paging.rows()).await?;
    Ok(paging.page(keys.into_iter().map(ApiKey::from).collect()))
}
