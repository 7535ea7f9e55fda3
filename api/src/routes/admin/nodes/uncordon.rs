//! `POST /admin/nodes/{id}:uncordon`

use domain::id::NodeId;
use domain::state::NodeState;
use utoipa_axum::routes;

use super::probe::{guard, look};
use crate::authorization::action;
use crate::endpoint::Endpoint;
use crate::mutation::{Committed, Mutation};
use crate::problem::Problem;
use crate::query::Path;
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::NODE_UNCORDON))
}

/// Take a node back into service
///
/// It is probed first, and the queue of its SKU is served when it passes. Only for a node that
/// was cordoned or drained: one in quarantine takes `:probe`.
#[utoipa::path(post, path = "/api/v1/admin/nodes/{id}:uncordon", params(("id" = String, Path)),
    responses((status = 202, description = "It is going to be looked at", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<NodeId>,
) -> Result<Committed<OperationView>, Problem> {
    // Under way already: the open look is the answer.
    let fits = |state| {
        matches!(
            state,
            NodeState::Draining | NodeState::Maintenance | NodeState::Verifying
        )
    };
    look(mutation, id, fits).await
}
