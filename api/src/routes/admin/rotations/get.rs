//! `GET /admin/rotations/{id}`

use domain::id::RotationId;
use utoipa_axum::routes;

use super::RotationView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// Get a rotation, with its evidence once it has ended
#[utoipa::path(get, path = "/api/v1/admin/rotations/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "How far it is", body = RotationView)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<RotationId>,
) -> Result<Found<RotationView>, Problem> {
    let row = db::rotation::get(reader.conn(), id).await?;
    let row = row.ok_or_else(|| Problem::not_found(RotationView::KIND))?;
    Ok(Found(row.into()))
}
