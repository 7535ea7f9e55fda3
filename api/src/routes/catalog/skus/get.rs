//! `GET /skus/{name}`

use utoipa_axum::routes;

use super::Sku;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get an SKU
#[utoipa::path(get, path = "/api/v1/skus/{name}", params(("name" = String, Path)),
    responses((status = 200, description = "The sku", body = Sku)))]
async fn handler(mut reader: Reader, Path(name): Path<String>) -> Result<Found<Sku>, Problem> {
    let found = db::catalog::get_sku(reader.conn(), &name).await?;
    let found = found.ok_or_else(|| Problem::not_found(Sku::KIND))?;
    Ok(Found(found.into()))
}
