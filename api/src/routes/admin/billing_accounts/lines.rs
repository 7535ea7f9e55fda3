//! `GET /admin/billing-accounts/{id}/invoices/{invoice_id}/lines`

use domain::id::{InvoiceId, InvoiceLineId, OrgId};
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::billing::{InvoiceView, LineView};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::FINANCE_READ)
}

/// List what an organization's invoice charges for
#[utoipa::path(get, path = "/api/v1/admin/billing-accounts/{id}/invoices/{invoice_id}/lines",
    params(("id" = String, Path), ("invoice_id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<LineView>)))]
async fn handler(
    mut reader: Reader,
    Path((id, invoice)): Path<(OrgId, InvoiceId)>,
    paging: Paging,
) -> Result<Page<LineView>, Problem> {
    let (conn, after) = (reader.conn(), paging.after::<LineView, InvoiceLineId>()?);
    let known = db::billing::invoice::get(conn, id, invoice).await?;
    let known = known.ok_or_else(|| Problem::not_found(InvoiceView::KIND))?;
    let rows = db::billing::invoice::lines(conn, id, invoice, after, paging.rows()).await?;
    let lines = rows.into_iter();
    Ok(paging.page(lines.map(|line| LineView::new(&known, line)).collect()))
}
