//! Taking a machine out of service: what the verbs for it have in common.

use db::node::Node;
use domain::event::NodeQuarantined;
use domain::id::NodeId;
use domain::reason::Code;
use domain::state::{NodeState, StateMachine};
use serde_json::json;

use super::AdminNodeView;
use crate::authorization::{Action, On};
use crate::endpoint::{Authentication, Guard, Idempotency, RateClass};
use crate::mutation::{Committed, Mutation};
use crate::problem::{Code as ProblemCode, Problem};
use crate::resource::Resource;
use crate::routes::admin::why::Why;

pub(super) fn guard(action: &'static Action) -> Guard {
    Guard {
        authentication: Authentication::PlatformOperator,
        rate: RateClass::Admin,
        idempotency: Idempotency::of::<AdminNodeView>(),
        action: Some(action),
    }
}

/// Moves a machine there, unless it is there already; the answer is the machine. What runs on it
/// is not touched.
pub(super) async fn leave(
    mutation: Mutation,
    id: NodeId,
    to: NodeState,
    code: &Code,
    why: &Why,
) -> Result<Committed<AdminNodeView>, Problem> {
    let mut permitted = mutation.authorize(On::Organization)?;
    permitted.note(json!({ "reason": why.reason.as_str() }));
    let conn = permitted.conn();
    let node = hold(conn, id).await?;
    take_out(conn, &node, to, code).await?;
    let view = AdminNodeView::read(conn, id).await?;
    Ok(permitted.updated(view).await?)
}

/// The machine, held until the transaction ends.
pub(super) async fn hold(conn: &mut db::PgConnection, id: NodeId) -> Result<Node, Problem> {
    let node = db::node::lock(conn, id).await?;
    node.ok_or_else(|| Problem::not_found(AdminNodeView::KIND))
}

/// Moves a machine that is held there, and calls off what would bring it back.
pub(super) async fn take_out(
    conn: &mut db::PgConnection,
    node: &Node,
    to: NodeState,
    code: &Code,
) -> Result<(), Problem> {
    let id = node.id;
    // A look that is under way would, and so would the health sweep.
    for look in db::order::open(conn, id.uuid()).await? {
        db::operation::request_cancel(conn, look.id).await?;
    }
    db::node_health::keep_out(conn, id).await?;
    if node.state == to {
        return Ok(());
    }
    if !node.state.may_become(to) {
        let (from, to) = (node.state.as_str(), to.as_str());
        let detail = format!("a node that is {from} does not become {to}");
        return Err(Problem::new(ProblemCode::Conflict).detail(detail));
    }
    if to == NodeState::Retired {
        is_empty(conn, id).await?;
    }
    db::node::set_state(conn, id, node.state, to, Some(code.as_str())).await?;
    if to == NodeState::Quarantined {
        let event = NodeQuarantined {
            node_id: id,
            code: code.clone(),
        };
        db::outbox::append(conn, None, &event.into()).await?;
    }
    Ok(())
}

/// Nobody has anything on it, nor is about to.
async fn is_empty(conn: &mut db::PgConnection, id: NodeId) -> Result<(), Problem> {
    match db::node::allocations(conn, id).await? {
        0 => Ok(()),
        on_it => {
            let detail =
                format!("allocations on it: {on_it}; cordon it, and wait for their release");
            Err(Problem::new(ProblemCode::Conflict).detail(detail))
        }
    }
}
