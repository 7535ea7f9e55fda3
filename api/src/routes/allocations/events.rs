//! `GET /allocations/{id}/events`

use db::event::EventRow;
use domain::id::{AllocationId, EventId};
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

/// Something that happened to an allocation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AllocationEvent)]
struct EventView {
    #[schema(value_type = String)]
    id: EventId,
    /// Number within the allocation, from 1, without gaps.
    seq: i64,
    #[serde(rename = "type")]
    #[schema(example = "berth.provisioning.allocation.active")]
    kind: String,
    #[schema(value_type = Object)]
    data: serde_json::Value,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(skip)]
    allocation_id: AllocationId,
}

impl Resource for EventView {
    const KIND: &'static str = "allocation_event";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn version(&self) -> i64 {
        1
    }

    fn url(&self) -> String {
        format!("/api/v1/allocations/{}/events", self.allocation_id)
    }
}

impl EventView {
    fn new(allocation_id: AllocationId, row: EventRow) -> Self {
        Self {
            id: row.id,
            seq: row.seq,
            kind: row.r#type,
            data: row.data,
            created_at: row.created_at,
            allocation_id,
        }
    }
}

/// List what happened to an allocation, in order
#[utoipa::path(get, path = "/api/v1/allocations/{id}/events",
    params(("id" = String, Path), Paging),
    responses((status = 200, description = "One page", body = Page<EventView>)))]
async fn handler(
    principal: Principal,
    mut reader: Reader,
    Path(id): Path<AllocationId>,
    paging: Paging,
) -> Result<Page<EventView>, Problem> {
    let (org, after) = (principal.org_id, paging.after::<EventView, EventId>()?);
    let row = db::allocation::get(reader.conn(), org, id).await?;
    row.ok_or_else(|| Problem::not_found(AllocationView::KIND))?;
    let events = db::event::list(reader.conn(), org, id.uuid(), after, paging.rows()).await?;
    Ok(paging.page(
        events
            .into_iter()
            .map(|event| EventView::new(id, event))
            .collect(),
    ))
}
