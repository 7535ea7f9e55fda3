//! Machines that are to be empty.

use contract::workflow_id;
use db::PgConnection;
use domain::id::{AllocationId, NodeId};
use domain::reason::Code;
use domain::state::NodeState;

use crate::audit;
use crate::refusal::Refusal;

/// Somebody has left a machine: if it was the last one on a draining machine, that is in maintenance
/// now.
pub(crate) async fn settle(
    conn: &mut PgConnection,
    node: NodeId,
    who: AllocationId,
) -> Result<(), Refusal> {
    let Some(row) = db::node::lock(conn, node).await? else {
        return Ok(());
    };
    if row.state != NodeState::Draining || db::node::allocations(conn, node).await? > 0 {
        return Ok(());
    }
    let (to, code) = (NodeState::Maintenance, Code::drained());
    db::node::set_state(conn, node, row.state, to, Some(code.as_str())).await?;
    let by = workflow_id::allocation(who);
    audit::node(conn, &by, node, "node.drained", Some(&code)).await
}
