//! `GET /admin/reconciliations`

use domain::id::ReconciliationId;
use utoipa_axum::routes;

use super::ReconciliationView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// List comparisons of use, lines, ledger and machines, the latest first
#[utoipa::path(get, path = "/api/v1/admin/reconciliations", params(Paging),
    responses((status = 200, description = "One page", body = Page<ReconciliationView>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<ReconciliationView>, Problem> {
    let after = paging.after::<ReconciliationView, ReconciliationId>()?;
    let rows = db::billing::reconcile::list(reader.conn(), None, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(ReconciliationView::from).collect()))
}
