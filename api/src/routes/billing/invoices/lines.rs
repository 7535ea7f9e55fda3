//! `GET /invoices/{id}/lines`

use db::billing::invoice::{Invoice, Line};
use domain::id::{InvoiceId, InvoiceLineId, PriceId, ProjectId};
use domain::money::Money;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::InvoiceView;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::billing::MoneySchema;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// What a project used of an SKU at one price.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvoiceLine)]
pub(crate) struct LineView {
    #[schema(value_type = String)]
    id: InvoiceLineId,
    #[schema(value_type = String)]
    project_id: ProjectId,
    sku: String,
    /// What is counted, such as `gpu_seconds`.
    meter: String,
    #[schema(value_type = String)]
    price_id: PriceId,
    #[schema(value_type = MoneySchema)]
    per_gpu_hour: Money,
    /// GPUs times microseconds, all of them.
    gpu_microseconds: i64,
    /// The product of the two, rounded once to the micro, half to even.
    #[schema(value_type = MoneySchema)]
    amount: Money,
    /// The first and the last instant of the use.
    #[serde(with = "time::serde::rfc3339")]
    used_from: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    used_to: OffsetDateTime,
    /// How many records it counts; they are listed under it.
    record_count: i64,
    /// SHA-256, in hexadecimal digits, over the records' ids, 16 bytes each, in their order.
    record_digest: String,
    #[serde(skip)]
    invoice_id: InvoiceId,
}

impl LineView {
    pub(crate) fn new(invoice: &Invoice, line: Line) -> Self {
        let money = |amount_micros| Money {
            amount_micros,
            currency: invoice.currency,
        };
        let digest = line.record_digest.iter().map(|byte| format!("{byte:02x}"));
        Self {
            id: line.id,
            project_id: line.project_id,
            sku: line.sku,
            meter: line.meter,
            price_id: line.price_id,
            per_gpu_hour: money(line.price_micros),
            gpu_microseconds: line.gpu_microseconds,
            amount: money(line.amount_micros),
            used_from: line.used_from,
            used_to: line.used_to,
            record_count: line.record_count,
            record_digest: digest.collect(),
            invoice_id: invoice.id,
        }
    }
}

impl Resource for LineView {
    const KIND: &'static str = "invoice_line";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!("/api/v1/invoices/{}/lines", self.invoice_id)
    }
}

/// List the lines of an invoice or credit note
#[utoipa::path(get, path = "/api/v1/invoices/{id}/lines", params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<LineView>)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Path(id): Path<InvoiceId>,
    paging: Paging,
) -> Result<Page<LineView>, Problem> {
    let (org, conn) = (principal.org_id, reader.conn());
    let after = paging.after::<LineView, InvoiceLineId>()?;
    let invoice = db::billing::invoice::get(conn, org, id).await?;
    let invoice = invoice.ok_or_else(|| Problem::not_found(InvoiceView::KIND))?;
    let rows = db::billing::invoice::lines(conn, org, id, after, paging.rows()).await?;
    let lines = rows.into_iter();
    Ok(paging.page(lines.map(|line| LineView::new(&invoice, line)).collect()))
}
