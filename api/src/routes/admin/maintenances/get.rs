//! `GET /admin/maintenances/{id}`

use domain::id::MaintenanceId;
use utoipa_axum::routes;

use super::MaintenanceView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// Get a run that looks after the tables that only grow
#[utoipa::path(get, path = "/api/v1/admin/maintenances/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "What it did", body = MaintenanceView)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<MaintenanceId>,
) -> Result<Found<MaintenanceView>, Problem> {
    let row = db::maintenance::find(reader.conn(), id).await?;
    let row = row.ok_or_else(|| Problem::not_found(MaintenanceView::KIND))?;
    Ok(Found(row.into()))
}
