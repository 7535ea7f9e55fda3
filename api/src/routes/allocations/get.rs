//! `GET /allocations/{id}`

use domain::id::AllocationId;
use utoipa_axum::routes;

use super::AllocationView;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get an allocation
#[utoipa::path(get, path = "/api/v1/allocations/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The allocation", body = AllocationView)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Path(id): Path<AllocationId>,
) -> Result<Found<AllocationView>, Problem> {
    let row = db::allocation::get(reader.conn(), principal.org_id, id).await?;
    let row = row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    Ok(Found(AllocationView::load(reader.conn(), row).await?))
}
