//! `GET /invoices`

use domain::id::InvoiceId;
use utoipa_axum::routes;

use super::InvoiceView;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// List your organization's invoices and credit notes, the latest first
#[utoipa::path(get, path = "/api/v1/invoices", params(Paging),
    responses((status = 200, description = "One page", body = Page<InvoiceView>)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    paging: Paging,
) -> Result<Page<InvoiceView>, Problem> {
    let (org, after) = (principal.org_id, paging.after::<InvoiceView, InvoiceId>()?);
    let rows = db::billing::invoice::list(reader.conn(), org, None, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(InvoiceView::from).collect()))
}
