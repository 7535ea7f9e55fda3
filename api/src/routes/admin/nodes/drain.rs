//! `POST /admin/nodes/{id}:drain`

use domain::event::AllocationMaintenancePlanned;
use domain::id::NodeId;
use domain::name::Name;
use domain::reason::Code;
use domain::state::NodeState;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::AdminNodeView;
use super::service::{guard, hold, take_out};
use crate::authorization::{On, action};
use crate::body::Body;
use crate::endpoint::Endpoint;
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::NODE_DRAIN))
}

/// Why, and when work on the machine begins.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Drain {
    /// One line.
    #[schema(value_type = String, min_length = 1, max_length = 128)]
    reason: Name,
    /// When it begins; missing: as soon as the machine is empty.
    #[serde(default, with = "time::serde::rfc3339::option")]
    starts_at: Option<OffsetDateTime>,
}

/// Empty a node for maintenance
///
/// It gets no new allocation. Whoever is on it is told, by an event and a condition, and cannot
/// extend a lease beyond `starts_at` (without one: not at all). When the last one has left, the node is in
/// maintenance. Draining again changes `starts_at` and tells everybody anew; `:uncordon` ends it.
#[utoipa::path(post, path = "/api/v1/admin/nodes/{id}:drain", params(("id" = String, Path)),
    request_body = Drain, responses((status = 200, description = "The machine", body = AdminNodeView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<NodeId>,
    Body(drain): Body<Drain>,
) -> Result<Committed<AdminNodeView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    permitted.note(json!({ "reason": drain.reason.as_str() }));
    let conn = permitted.conn();
    let now = db::clock::now(conn).await?;
    if drain.starts_at.is_some_and(|starts_at| starts_at <= now) {
        return Err(Problem::invalid("/starts_at", "is to lie in the future"));
    }
    let node = hold(conn, id).await?;
    let on_it = db::node::tenancies(conn, id).await?;
    let to = if on_it.is_empty() {
        NodeState::Maintenance
    } else {
        NodeState::Draining
    };
    take_out(conn, &node, to, &Code::drained()).await?;
    db::node::set_maintenance(conn, id, drain.starts_at).await?;
    for tenancy in on_it {
        let event = AllocationMaintenancePlanned {
            allocation_id: tenancy.allocation_id,
            project_id: tenancy.project_id,
            starts_at: drain.starts_at.unwrap_or(now).into(),
        };
        db::outbox::append(conn, Some(tenancy.org_id), &event.into()).await?;
    }
    let view = AdminNodeView::read(conn, id).await?;
    Ok(permitted.updated(view).await?)
}
