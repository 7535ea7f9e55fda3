//! `GET /invoices/{id}`

use domain::id::InvoiceId;
use utoipa_axum::routes;

use super::InvoiceView;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::{Found, Resource};

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// Get an invoice or credit note
#[utoipa::path(get, path = "/api/v1/invoices/{id}", params(("id" = String, Path)),
    responses((status = 200, description = "The document", body = InvoiceView)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Path(id): Path<InvoiceId>,
) -> Result<Found<InvoiceView>, Problem> {
    let row = db::billing::invoice::get(reader.conn(), principal.org_id, id).await?;
    let row = row.ok_or_else(|| Problem::not_found(InvoiceView::KIND))?;
    Ok(Found(row.into()))
}
