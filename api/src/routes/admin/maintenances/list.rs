//! `GET /admin/maintenances`

use domain::id::MaintenanceId;
use utoipa_axum::routes;

use super::MaintenanceView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// List runs that looked after the tables that only grow, the latest first
#[utoipa::path(get, path = "/api/v1/admin/maintenances", params(Paging),
    responses((status = 200, description = "One page", body = Page<MaintenanceView>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<MaintenanceView>, Problem> {
    let after = paging.after::<MaintenanceView, MaintenanceId>()?;
    let rows = db::maintenance::list(reader.conn(), None, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(MaintenanceView::from).collect()))
}
