//! Types of application failures that workflows decide by. An activity error of any other type is
//! a passing fault that the retry policy handles.

/// The machine is at fault (unreachable, wrong inventory, full disk …): take another one.
/// Details: the stable code of the fault, such as `gpu_missing`.
pub const NODE_FAULT: &str = "NodeFault";
/// The machine did not answer this time: tried again, and a fault once tries are used up.
/// Details as above.
pub const NODE_AWAY: &str = "NodeAway";
/// The network guard refused the machine's address. Never tried again on this node.
pub const TARGET_DENIED: &str = "ProbeTargetDenied";
/// The row is not there or not in the state that the step needs: somebody else moved it.
pub const STATE_CONFLICT: &str = "StateConflict";
