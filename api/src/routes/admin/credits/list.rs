//! `GET /admin/credits`

use domain::id::CreditId;
use utoipa_axum::routes;

use super::CreditView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// List what organizations were given, by whom and why
#[utoipa::path(get, path = "/api/v1/admin/credits", params(Paging),
    responses((status = 200, description = "One page", body = Page<CreditView>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<CreditView>, Problem> {
    let after = paging.after::<CreditView, CreditId>()?;
    let rows = db::billing::credit::list(reader.conn(), None, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(CreditView::from).collect()))
}
