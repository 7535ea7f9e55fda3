//! `GET /admin/capacity`

use db::fleet::SkuCapacity;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::resource::Resource;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

/// GPUs of one SKU.
#[derive(Debug, Serialize, ToSchema)]
struct Capacity {
    sku: String,
    /// GPUs of machines that have not left the fleet.
    delivered: i64,
    /// Of these, those of machines in service that nothing is known to be wrong with.
    healthy: i64,
    /// Healthy, and nobody has them: what the queue can be served from.
    free: i64,
    /// Taken for allocations that are being provisioned.
    reserved: i64,
    /// In the hands of tenants.
    active: i64,
    /// On their way back from allocations that end.
    cleaning: i64,
    queued_allocations: i64,
    queued_gpus: i64,
    /// How long the first in the queue has waited; 0 where nobody does.
    oldest_wait_seconds: i64,
}

impl Resource for Capacity {
    const KIND: &'static str = "capacity";

    fn id(&self) -> String {
        self.sku.clone()
    }

    fn version(&self) -> i64 {
        0
    }

    fn url(&self) -> String {
        format!("/api/v1/skus/{}", self.sku)
    }
}

impl From<SkuCapacity> for Capacity {
    fn from(row: SkuCapacity) -> Self {
        Self {
            sku: row.sku,
            delivered: row.delivered,
            healthy: row.healthy,
            free: row.free,
            reserved: row.reserved,
            active: row.active,
            cleaning: row.cleaning,
            queued_allocations: row.queued_allocations,
            queued_gpus: row.queued_gpus,
            oldest_wait_seconds: row.oldest_wait_seconds,
        }
    }
}

/// Count the GPUs of each SKU, and who waits for them
#[utoipa::path(get, path = "/api/v1/admin/capacity", params(Paging),
    responses((status = 200, description = "One page, by name of the SKU", body = Page<Capacity>)))]
async fn handler(mut reader: Reader, paging: Paging) -> Result<Page<Capacity>, Problem> {
    let after = paging.after::<Capacity, String>()?;
    let rows = db::fleet::capacity(reader.conn(), after.as_deref(), paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(Capacity::from).collect()))
}
