//! `GET /admin/audit-events/{id}`

use db::audit::Which;
use domain::id::AuditId;
use utoipa_axum::routes;

use super::EventView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// Get an entry of the audit log
#[utoipa::path(get, path = "/api/v1/admin/audit-events/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "Who did what", body = EventView)))]
async fn handler(mut reader: Reader, Path(id): Path<AuditId>) -> Result<Found<EventView>, Problem> {
    let which = Which {
        id: Some(id),
        ..Which::default()
    };
    let row = db::audit::list(reader.conn(), &which, None, 1).await?.pop();
    let row = row.ok_or_else(|| Problem::not_found(EventView::KIND))?;
    Ok(Found(row.into()))
}
