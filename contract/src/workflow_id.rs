//! Workflow ids and types: kind and resource id, so that one resource has one running workflow.

use domain::id::{AllocationId, NodeId};

/// Type of the entity workflow that owns an allocation.
pub const ALLOCATION: &str = "Allocation";
/// Type of the workflow that takes a node into the fleet or checks it again.
pub const NODE_ENROLLMENT: &str = "NodeEnrollment";

/// Type of the workflow that looks at every machine.
pub const NODE_HEALTH_SWEEP: &str = "NodeHealthSweep";
/// Id of its schedule, and what the ids of its runs begin with.
pub const NODE_HEALTH_SCHEDULE: &str = "node-health";

/// Type of the workflow that restarts lost ones.
pub const SWEEP: &str = "Sweep";
/// Id of its schedule, and what the ids of its runs begin with.
pub const SWEEP_SCHEDULE: &str = "sweep";

/// `allocation/{alloc_id}`
pub fn allocation(id: AllocationId) -> String {
    format!("allocation/{id}")
}

/// `node/{node_id}`
pub fn node(id: NodeId) -> String {
    format!("node/{id}")
}
