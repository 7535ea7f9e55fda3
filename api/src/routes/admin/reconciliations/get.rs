//! `GET /admin/reconciliations/{id}`

use domain::id::ReconciliationId;
use utoipa_axum::routes;

use super::ReconciliationView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// Get a comparison of use, lines, ledger and machines
#[utoipa::path(get, path = "/api/v1/admin/reconciliations/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "What came of it", body = ReconciliationView)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<ReconciliationId>,
) -> Result<Found<ReconciliationView>, Problem> {
    let found = db::billing::reconcile::list(reader.conn(), Some(id), None, 1).await?;
    let found = found.into_iter().next();
    let found = found.ok_or_else(|| Problem::not_found(ReconciliationView::KIND))?;
    Ok(Found(ReconciliationView::from(found)))
}
