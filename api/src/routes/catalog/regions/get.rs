//! `GET /regions/{name}`

use utoipa_axum::routes;

use super::Region;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get a region
#[utoipa::path(get, path = "/api/v1/regions/{name}", params(("name" = String, Path)),
    responses((status = 200, description = "The region", body = Region)))]
async fn handler(mut reader: Reader, Path(name): Path<String>) -> Result<Found<Region>, Problem> {
    let found = db::catalog::get_region(reader.conn(), &name).await?;
    let found = found.ok_or_else(|| Problem::not_found(Region::KIND))?;
    Ok(Found(found.into()))
}
