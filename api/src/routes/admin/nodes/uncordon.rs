//! `POST /admin/nodes/{id}:uncordon`

use domain::id::NodeId;
use domain::state::{NodeState, StateMachine};
use utoipa_axum::routes;

use super::AdminNodeView;
use super::probe::{guard, look};
use crate::authorization::{On, action};
use crate::endpoint::Endpoint;
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::NODE_UNCORDON))
}

/// Take a node back into service
///
/// It is probed first, and the queue of its SKU is served when it passes. Only for a node that
/// was cordoned: one in quarantine takes `:probe`.
#[utoipa::path(post, path = "/api/v1/admin/nodes/{id}:uncordon", params(("id" = String, Path)),
    responses((status = 202, description = "It is going to be looked at", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<NodeId>,
) -> Result<Committed<OperationView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let node = db::node::lock(permitted.conn(), id).await?;
    let node = node.ok_or_else(|| Problem::not_found(AdminNodeView::KIND))?;
    // Under way already: the open look is the answer.
    let cordoned = matches!(node.state, NodeState::Maintenance | NodeState::Verifying);
    if !cordoned {
        let detail = format!("the node is not cordoned: it is {}", node.state.as_str());
        return Err(Problem::new(Code::Conflict).detail(detail));
    }
    look(permitted, node).await
}
