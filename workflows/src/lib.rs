//! The order of things: what follows what, what is taken back when a step fails, how long each may
//! take. No I/O, no clock: all of it must give the same commands when a history is replayed.

mod allocation;
mod audit_sealing;
mod balance_guard;
mod billing_run;
mod key_rotation;
mod limits;
mod metering_window;
mod node_enrollment;
mod node_health_sweep;
mod partition_maintenance;
mod reconciliation;
mod retention;
mod saga;
mod step;
mod sweep;

pub use allocation::Allocation;
pub use audit_sealing::AuditSealing;
pub use balance_guard::BalanceGuard;
pub use billing_run::BillingRun;
pub use key_rotation::KeyRotation;
pub use metering_window::MeteringWindow;
pub use node_enrollment::NodeEnrollment;
pub use node_health_sweep::NodeHealthSweep;
pub use partition_maintenance::PartitionMaintenance;
pub use reconciliation::Reconciliation;
pub use retention::Retention;
pub use sweep::Sweep;
