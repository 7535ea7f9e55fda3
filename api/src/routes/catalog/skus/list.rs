//! `GET /skus`

use utoipa_axum::routes;

use super::Sku;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// List the SKUs on sale, by name
#[utoipa::path(get, path = "/api/v1/skus", params(Paging),
    responses((status = 200, description = "One page", body = Page<Sku>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<Sku>, Problem> {
    let after = paging.after::<Sku, String>()?;
    let rows = db::catalog::list_skus(reader.conn(), after.as_deref(), paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(Sku::from).collect()))
}
