//! `POST /admin/nodes/{id}:quarantine`

use domain::id::NodeId;
use domain::reason::Code;
use domain::state::NodeState;
use utoipa_axum::routes;

use super::AdminNodeView;
use super::service::{guard, leave};
use crate::authorization::action;
use crate::body::Body;
use crate::endpoint::Endpoint;
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;
use crate::routes::admin::why::Why;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::NODE_QUARANTINE))
}

/// Put a node into quarantine
///
/// As a probe that finds it bad does: it gets no new allocation, those that it has go on, and only
/// a probe that it passes brings it back.
#[utoipa::path(post, path = "/api/v1/admin/nodes/{id}:quarantine", params(("id" = String, Path)),
    request_body = Why, responses((status = 200, description = "The machine", body = AdminNodeView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<NodeId>,
    Body(why): Body<Why>,
) -> Result<Committed<AdminNodeView>, Problem> {
    leave(
        mutation,
        id,
        NodeState::Quarantined,
        &Code::quarantined_by_operator(),
        &why,
    )
    .await
}
