//! `GET /admin/audit-events`

use db::audit::{Outcome, Which};
use domain::id::{AuditId, OrgId};
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::IntoParams;
use utoipa_axum::routes;

use super::EventView;
use crate::call::Reader;
use crate::endpoint::{Endpoint, Guard};
use crate::instant;
use crate::page::{Page, Paging};
use crate::problem::Problem;
use crate::query::Query;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), Guard::ADMIN_READ)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Filter {
    /// About this organization; missing: all.
    #[param(value_type = Option<String>)]
    organization_id: Option<OrgId>,
    /// Such as `allocation.create`.
    action: Option<String>,
    /// Such as `allocation`.
    resource_kind: Option<String>,
    resource_id: Option<String>,
    /// The key, person or workflow that acted.
    actor_id: Option<String>,
    /// `allowed`, `denied` or `failed`.
    #[param(value_type = Option<String>)]
    outcome: Option<Outcome>,
    /// Not before.
    #[serde(default, deserialize_with = "instant::optional")]
    since: Option<OffsetDateTime>,
    /// Before.
    #[serde(default, deserialize_with = "instant::optional")]
    until: Option<OffsetDateTime>,
}

/// List who did what, newest first
///
/// What is in archives alone is not shown; `berth partition restore` brings it back.
#[utoipa::path(get, path = "/api/v1/admin/audit-events", params(Filter, Paging),
    responses((status = 200, description = "One page", body = Page<EventView>)))]
async fn handler(
    mut reader: Reader,
    Query(filter): Query<Filter>,
    paging: Paging,
) -> Result<Page<EventView>, Problem> {
    let before = paging.after::<EventView, AuditId>()?;
    let which = Which {
        id: None,
        org_id: filter.organization_id,
        action: filter.action.as_deref(),
        resource_kind: filter.resource_kind.as_deref(),
        resource_id: filter.resource_id.as_deref(),
        actor_id: filter.actor_id.as_deref(),
        outcome: filter.outcome,
        since: filter.since,
        until: filter.until,
    };
    let rows = db::audit::list(reader.conn(), &which, before, paging.rows()).await?;
    Ok(paging.page(rows.into_iter().map(EventView::from).collect()))
}
