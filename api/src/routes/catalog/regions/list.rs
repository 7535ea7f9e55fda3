//! `GET /regions`

use utoipa_axum::routes;

use super::Region;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// List regions, by name
#[utoipa::path(get, path = "/api/v1/regions", params(Paging),
    responses((status = 200, description = "One page", body = Page<Region>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<Region>, Problem> {
    let after = paging.after::<Region, String>()?;
    let rows = db::catalog::list_regions(reader.conn(), after.as_deref(), paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(Region::from).collect()))
}
