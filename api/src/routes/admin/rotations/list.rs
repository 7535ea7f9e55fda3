//! `GET /admin/rotations`

use domain::id::RotationId;
use utoipa_axum::routes;

use super::RotationView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// List rotations, the latest first
#[utoipa::path(get, path = "/api/v1/admin/rotations", params(Paging),
    responses((status = 200, description = "One page", body = Page<RotationView>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<RotationView>, Problem> {
    let after = paging.after::<RotationView, RotationId>()?;
    let rows = db::rotation::list(reader.conn(), None, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(RotationView::from).collect()))
}
