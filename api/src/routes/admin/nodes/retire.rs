//! `POST /admin/nodes/{id}:retire`

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
    Endpoint::new(routes!(handler), guard(&action::NODE_RETIRE))
}

/// Retire a node for ever
///
/// Refused while an allocation is on it. Its name, address and GPUs may be enrolled again then.
#[utoipa::path(post, path = "/api/v1/admin/nodes/{id}:retire", params(("id" = String, Path)),
    request_body = Why, responses((status = 200, description = "The machine", body = AdminNodeView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<NodeId>,
    Body(why): Body<Why>,
) -> Result<Committed<AdminNodeView>, Problem> {
    leave(
        mutation,
        id,
        NodeState::Retired,
        &Code::retired_by_operator(),
        &why,
    )
    .await
}
