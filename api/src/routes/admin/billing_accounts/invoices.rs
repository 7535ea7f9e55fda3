//! `GET /admin/billing-accounts/{id}/invoices`

use domain::id::{InvoiceId, OrgId};
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Path;
use crate::routes::billing::InvoiceView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// List an organization's invoices and credit notes, the latest first
#[utoipa::path(get, path = "/api/v1/admin/billing-accounts/{id}/invoices",
    params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<InvoiceView>)))]
async fn handler(
    mut reader: Reader,
    Path(id): Path<OrgId>,
    paging: Paging,
) -> Result<Page<InvoiceView>, Problem> {
    let (conn, after) = (reader.conn(), paging.after::<InvoiceView, InvoiceId>()?);
    super::known(conn, id).await?;
    let rows = db::billing::invoice::list(conn, id, None, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(InvoiceView::from).collect()))
}
