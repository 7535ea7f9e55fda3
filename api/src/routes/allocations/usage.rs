//! `GET /allocations/{id}/usage`

use db::allocation::UsageInterval;
use domain::id::{AllocationId, UsageIntervalId};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AllocationView;
use crate::authentication::Principal;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Path;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::READ)
}

/// A stretch of billable time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UsageInterval)]
struct UsageView {
    #[schema(value_type = String)]
    id: UsageIntervalId,
    /// What is counted, such as `gpu_seconds`.
    meter: String,
    sku: String,
    /// How many at once, such as GPUs.
    quantity: i32,
    #[serde(with = "time::serde::rfc3339")]
    started_at: OffsetDateTime,
    /// Null: it goes on.
    #[serde(with = "time::serde::rfc3339::option")]
    ended_at: Option<OffsetDateTime>,
    /// Whole seconds of the stretch, up to now if it goes on.
    duration_seconds: i64,
    #[serde(skip)]
    allocation_id: AllocationId,
}

impl Resource for UsageView {
    const KIND: &'static str = "usage_interval";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!("/api/v1/allocations/{}/usage", self.allocation_id)
    }
}

impl UsageView {
    fn new(allocation_id: AllocationId, row: UsageInterval) -> Self {
        Self {
            id: row.id,
            meter: row.meter,
            sku: row.sku,
            quantity: row.quantity,
            started_at: row.started_at,
            ended_at: row.ended_at,
            duration_seconds: row.seconds,
            allocation_id,
        }
    }
}

/// List the billable time of an allocation, oldest first
#[utoipa::path(get, path = "/api/v1/allocations/{id}/usage",
    params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<UsageView>)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Path(id): Path<AllocationId>,
    paging: Paging,
) -> Result<Page<UsageView>, Problem> {
    let (org, after) = (
        principal.org_id,
        paging.after::<UsageView, UsageIntervalId>()?,
    );
    let row = db::allocation::get(reader.conn(), org, id).await?;
    row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    let rows =
        db::allocation::usage_intervals(reader.conn(), org, id, after, paging.rows()).await?;
    Ok(paging.page(
        rows.into_iter()
            .map(|row| UsageView::new(id, row))
            .collect(),
    ))
}
