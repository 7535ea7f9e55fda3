//! `GET /admin/billing-runs/{id}`

use db::billing::run;
use domain::id::BillingRunId;
use utoipa_axum::routes;

use super::RunView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// Get a billing run
#[utoipa::path(get, path = "/api/v1/admin/billing-runs/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "How far it is", body = RunView)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<BillingRunId>,
) -> Result<Found<RunView>, Problem> {
    let run = run::get(reader.conn(), id).await?;
    let run = run.ok_or_else(|| Problem::not_found(RunView::KIND))?;
    let totals = run::totals(reader.conn(), id).await?;
    Ok(Found(RunView::new(&run, totals)))
}
