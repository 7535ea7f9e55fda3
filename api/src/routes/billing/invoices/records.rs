//! `GET /invoices/{id}/lines/{line_id}/records`

use db::billing::invoice::Counted;
use domain::id::{AllocationId, InvoiceId, InvoiceLineId, UsageIntervalId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use uuid::Uuid;

use super::InvoiceView;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::billing::all_there;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// A record that a line counts, as far as it lies in the line's period and time of price.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CountedUsage)]
struct CountedView {
    /// One of the ids that the line's digest is over.
    #[schema(value_type = String)]
    record_id: Uuid,
    #[schema(value_type = String)]
    usage_interval_id: UsageIntervalId,
    #[schema(value_type = String)]
    allocation_id: AllocationId,
    /// How many GPUs; negative: so much is taken back, as it was recorded too much.
    quantity: i32,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    ended_at: OffsetDateTime,
}

impl From<Counted> for CountedView {
    fn from(counted: Counted) -> Self {
        Self {
            record_id: counted.record_id,
            usage_interval_id: counted.interval_id,
            allocation_id: counted.allocation_id,
            quantity: counted.quantity,
            started_at: counted.started_at,
            ended_at: counted.ended_at,
        }
    }
}

impl Resource for CountedView {
    const KIND: &'static str = "usage_record";

    fn id(&self) -> String {
        self.record_id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        "/api/v1/usage".to_owned()
    }
}

/// List what a line of an invoice counts, record by record
///
/// `409 conflict` while records of its time are archived.
#[utoipa::path(get, path = "/api/v1/invoices/{id}/lines/{line_id}/records",
    params(("id" = String, Path), ("line_id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<CountedView>)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Path((id, line)): Path<(InvoiceId, InvoiceLineId)>,
    paging: Paging,
) -> Result<Page<CountedView>, Problem> {
    let (org, conn) = (principal.org_id, reader.conn());
    let after = paging.after::<CountedView, Uuid>()?;
    let invoice = db::billing::invoice::get(conn, org, id).await?;
    let invoice = invoice.ok_or_else(|| Problem::not_found(InvoiceView::KIND))?;
    let known = db::billing::invoice::line(conn, org, id, line).await?;
    known.ok_or_else(|| Problem::not_found("invoice_line"))?;
    all_there(conn, invoice.period.start).await?;
    let rows = db::billing::invoice::counted(conn, org, id, line, after, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(CountedView::from).collect()))
}
