//! Taking a machine out of service because it was found bad.

use db::PgConnection;
use domain::event::NodeQuarantined;
use domain::id::NodeId;
use domain::reason::Code;
use domain::state::{NodeState, StateMachine};

use crate::audit;
use crate::refusal::Refusal;

/// Keeps a machine from being given to anybody else, unless it is out of service already.
/// `by` is the workflow that found it. Gives back the state that it took the machine from.
pub(crate) async fn quarantine(
    conn: &mut PgConnection,
    node: NodeId,
    code: &Code,
    by: &str,
) -> Result<Option<NodeState>, Refusal> {
    let Some(row) = db::node::lock(conn, node).await? else {
        return Ok(None);
    };
    if !row.state.may_become(NodeState::Quarantined) {
        return Ok(None);
    }
    let (to, why) = (NodeState::Quarantined, Some(code.as_str()));
    if !db::node::set_state(conn, node, row.state, to, why).await? {
        return Ok(None);
    }
    db::node_health::keep_out(conn, node).await?;
    let event = NodeQuarantined {
        node_id: node,
        code: code.clone(),
    };
    db::outbox::append(conn, None, &event.into()).await?;
    audit::node(conn, by, node, "node.quarantine", Some(code)).await?;
    Ok(Some(row.state))
}
