//! Tenants' holds on GPUs: [`create`] writes them down, [`read`] shows them and what they hold,
//! and the changes of state that the workflow makes have files of their own.

mod create;
pub mod queue;
mod read;
mod scheduler;
pub mod transition;
mod usage;
mod wish;

use std::collections::BTreeMap;

use domain::id::{AllocationId, GpuId, NodeId, OrgId, ProjectId, UsageIntervalId, UserId};
use domain::state::AllocationState;
use time::OffsetDateTime;

pub use create::{Ground, NewAllocation, ground, insert, set_ssh_keys};
pub use read::{Filter, devices, get, list, lock, machines, ssh_keys, stuck, update};
pub use scheduler::scheduler_request;
pub use usage::{close_usage, open_usage, usage_intervals};
pub use wish::{release_for_lack_of_money, request_release};

/// One allocation as its row says.
#[derive(Debug, Clone)]
pub struct Allocation {
    pub id: AllocationId,
    pub org_id: OrgId,
    pub project_id: ProjectId,
    pub created_by: UserId,
    pub name: String,
    pub sku: String,
    pub gpu_count: i32,
    pub node_count: i32,
    pub labels: BTreeMap<String, String>,
    pub state: AllocationState,
    /// Stable code of why it is in this state.
    pub state_reason: Option<String>,
    pub queue_timeout_seconds: i32,
    pub queued_at: Option<OffsetDateTime>,
    pub lease_seconds: i32,
    pub lease_ends_at: Option<OffsetDateTime>,
    /// The nearest warning that was given for this end.
    pub lease_warned_seconds: Option<i32>,
    pub release_requested_at: Option<OffsetDateTime>,
    pub release_reason: Option<String>,
    /// How many machines were tried.
    pub attempts: i32,
    pub version: i64,
    pub created_at: OffsetDateTime,
    pub updated_at: OffsetDateTime,
    pub active_at: Option<OffsetDateTime>,
    pub ended_at: Option<OffsetDateTime>,
}

/// A machine that an allocation has now.
#[derive(Debug, Clone)]
pub struct HeldMachine {
    pub allocation_id: AllocationId,
    pub node_id: NodeId,
    pub host: String,
    pub port: i32,
    pub host_key: String,
    /// What the acceptance probe handed over.
    pub receipt: Option<serde_json::Value>,
    /// It is to be empty.
    pub draining: bool,
    /// When work on it begins, if somebody said so.
    pub maintenance_at: Option<OffsetDateTime>,
}

/// A GPU that an allocation has now.
#[derive(Debug, Clone)]
pub struct HeldDevice {
    pub allocation_id: AllocationId,
    pub gpu_id: GpuId,
    pub node_id: NodeId,
    pub index: i32,
    pub uuid: String,
    pub model: String,
}

/// A stretch of billable time; an open one has no end.
#[derive(Debug, Clone)]
pub struct UsageInterval {
    pub id: UsageIntervalId,
    pub meter: String,
    pub sku: String,
    pub quantity: i32,
    pub started_at: OffsetDateTime,
    pub ended_at: Option<OffsetDateTime>,
    /// Whole seconds so far, or of the closed interval.
    pub seconds: i64,
}
