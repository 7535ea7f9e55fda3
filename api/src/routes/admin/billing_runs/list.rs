//! `GET /admin/billing-runs`

use db::billing::run;
use domain::id::BillingRunId;
use utoipa_axum::routes;

use super::RunView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// List billing runs, the latest first
#[utoipa::path(get, path = "/api/v1/admin/billing-runs", params(Paging),
    responses((status = 200, description = "One page", body = Page<RunView>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<RunView>, Problem> {
    let (conn, after) = (reader.conn(), paging.after::<RunView, BillingRunId>()?);
    let mut views = Vec::new();
    for run in run::list(conn, None, after, paging.rows()).await? {
        let totals = run::totals(conn, run.id).await?;
        views.push(RunView::new(&run, totals));
    }
    Ok(paging.page(views))
}
