//! `POST /admin/nodes/{id}:probe`

use db::operation::{Operation, Viewer};
use domain::id::NodeId;
use domain::operation::OperationKind;
use domain::state::{NodeState, StateMachine as _};
use utoipa_axum::routes;

use super::{AdminNodeView, order, target};
use crate::authorization::{Action, On, action};
use crate::delivery;
use crate::endpoint::{Authentication, Endpoint, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code, Problem};
use crate::query::Path;
use crate::resource::Resource;
use crate::routes::operations::OperationView;

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), guard(&action::NODE_PROBE))
}

/// Of whatever has a node dialled.
pub(super) fn guard(action: &'static Action) -> Guard {
    Guard {
        authentication: Authentication::PlatformOperator,
        rate: RateClass::Probe,
        idempotency: Idempotency::of::<OperationView>(),
        action: Some(action),
    }
}

/// Have a node looked at again
///
/// Its address is judged anew, here and when it is dialled. While a look is under way, that one is
/// the answer. A node that was in quarantine or maintenance takes allocations again when it passes.
#[utoipa::path(post, path = "/api/v1/admin/nodes/{id}:probe", params(("id" = String, Path)),
    responses((status = 202, description = "It is going to be looked at", body = OperationView)))]
async fn handler(
    mutation: Mutation,
    Path(id): Path<NodeId>,
) -> Result<Committed<OperationView>, Problem> {
    look(mutation, id, |state| state != NodeState::Retired).await
}

/// Has a node looked at that is in a state for it.
pub(super) async fn look(
    mutation: Mutation,
    id: NodeId,
    fits: fn(NodeState) -> bool,
) -> Result<Committed<OperationView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    let (by, app) = (permitted.principal()?.user_id, permitted.app());
    let node = db::node::lock(permitted.conn(), id).await?;
    let node = node.ok_or_else(|| Problem::not_found(AdminNodeView::KIND))?;
    if !fits(node.state) {
        let detail = format!("the node is {}", node.state.as_str());
        return Err(Problem::new(Code::Conflict).detail(detail));
    }
    let port = u16::try_from(node.port).unwrap_or_default();
    target::judge(&app, &node.host, port).await?;
    let kinds = &[OperationKind::NodeEnroll, OperationKind::NodeProbe];
    let last = db::operation::latest(permitted.conn(), Viewer::Platform, id.uuid(), kinds).await?;
    let goes_on = |look: &Operation| look.is_open() && look.cancel_requested_at.is_none();
    if let Some(open) = last.filter(goes_on) {
        return Ok(permitted
            .accepted(OperationView::new(open, &app.settings))
            .await?);
    }
    let kind = OperationKind::NodeProbe;
    let policy = permitted.policy()?;
    let (operation, intent) = order::place(permitted.conn(), kind, id, by, &*policy).await?;
    let answer = permitted
        .accepted(OperationView::new(operation, &app.settings))
        .await?;
    delivery::spawn(&app, intent);
    Ok(answer)
}
