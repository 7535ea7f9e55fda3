//! Workflow ids and types: kind and resource id, so that one resource has one running workflow.

use domain::id::{AllocationId, BillingRunId, MaintenanceId, NodeId, OrgId, RotationId};
use domain::signing_key::Purpose;

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

/// Type of the workflow that records what was used.
pub const METERING_WINDOW: &str = "MeteringWindow";
/// Id of its schedule, and what the ids of its runs begin with.
pub const METERING_SCHEDULE: &str = "metering";

/// Type of the workflow that bills a period.
pub const BILLING_RUN: &str = "BillingRun";
/// Id of its schedule.
pub const BILLING_SCHEDULE: &str = "billing";
/// What the ids of the runs begin with that the schedule starts; the time is behind it.
pub const BILLING_SCHEDULED: &str = "billing/scheduled";

/// Type of the workflow that compares use, lines, ledger and machines.
pub const RECONCILIATION: &str = "Reconciliation";
/// Id of its schedule, and what the ids of its runs begin with.
pub const RECONCILIATION_SCHEDULE: &str = "reconciliation";

/// Type of the workflow that watches over a prepaid balance.
pub const BALANCE_GUARD: &str = "BalanceGuard";

/// Type of the workflow that replaces a key.
pub const KEY_ROTATION: &str = "KeyRotation";

/// Type of the workflow that looks after the tables that only grow.
pub const PARTITION_MAINTENANCE: &str = "PartitionMaintenance";
/// Id of its schedule, and what the ids of its runs begin with.
pub const PARTITION_SCHEDULE: &str = "partition-maintenance";

/// Type of the workflow that seals the audit log.
pub const AUDIT_SEALING: &str = "AuditSealing";
/// Id of its schedule, and what the ids of its runs begin with.
pub const AUDIT_SCHEDULE: &str = "audit-sealing";

/// Type of the workflow that forgets what has served its time.
pub const RETENTION: &str = "Retention";
/// Id of its schedule, and what the ids of its runs begin with.
pub const RETENTION_SCHEDULE: &str = "retention";

/// `allocation/{alloc_id}`
pub fn allocation(id: AllocationId) -> String {
    format!("allocation/{id}")
}

/// `node/{node_id}`
pub fn node(id: NodeId) -> String {
    format!("node/{id}")
}

/// `billing/{bill_id}`
pub fn billing(id: BillingRunId) -> String {
    format!("billing/{id}")
}

/// `maintenance/{maint_id}`
pub fn maintenance(id: MaintenanceId) -> String {
    format!("maintenance/{id}")
}

/// `balance/{org_id}`
pub fn balance(id: OrgId) -> String {
    format!("balance/{id}")
}

/// `rotation/{kind}/{rot_id}`
pub fn rotation(purpose: Purpose, id: RotationId) -> String {
    format!("rotation/{purpose}/{id}")
}

/// The schedule that replaces a kind of key: `rotate-{kind}`.
pub fn rotation_schedule(purpose: Purpose) -> String {
    format!("rotate-{purpose}")
}

/// What the ids of the runs begin with that it starts; the time is behind it.
pub fn rotation_scheduled(purpose: Purpose) -> String {
    format!("rotation/{purpose}/scheduled")
}
