//! Task queues: one a kind of work, so that each can be scaled by itself.

/// Workflows of allocations and nodes, and their database steps.
pub const PROVISIONING: &str = "provisioning";
/// Everything that dials a node.
pub const NODE_IO: &str = "node-io";
/// Metering and billing runs.
pub const BILLING: &str = "billing";
/// Key rotation.
pub const SECURITY: &str = "security";
/// Partitions, retention, sweeps.
pub const MAINTENANCE: &str = "maintenance";

/// Every queue that a worker may be asked to serve.
pub const ALL: &[&str] = &[PROVISIONING, NODE_IO, BILLING, SECURITY, MAINTENANCE];
