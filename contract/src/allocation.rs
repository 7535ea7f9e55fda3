//! Steps of an allocation that live in the database; queue `provisioning`.

use domain::id::{AllocationId, OperationId, OrgId, ProjectId};
use domain::reason::Code;
pub use domain::reason::ReleaseReason;
use domain::state::AllocationState;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Input of the workflow `Allocation`: the row is the state, the workflow reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationInput {
    pub allocation_id: AllocationId,
}

/// What the workflow needs to know of its row to choose the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationView {
    pub org_id: OrgId,
    pub project_id: ProjectId,
    pub sku: String,
    pub state: AllocationState,
    /// Which try at a machine this is; 0 before the first reservation.
    pub attempt: u32,
    /// Whether the machine of this attempt may hold anything of the allocation.
    pub touched: bool,
    /// Somebody wants it to end, or wants its creation cancelled.
    pub release_requested: bool,
    /// The create operation while it is open, whose steps provisioning writes.
    pub operation_id: Option<OperationId>,
    /// Seconds from now to the end of the wait for capacity; negative when it has passed.
    pub queue_remaining_seconds: i64,
    /// Seconds from now to the lease's end, once there is one; negative when it has passed.
    pub lease_remaining_seconds: Option<i64>,
    /// Seconds from now to the next warning that the lease ends, if one is to come; 0 and below: it
    /// is due.
    #[serde(default)]
    pub warning_remaining_seconds: Option<i64>,
    /// What keeps its tenant from working, once it was handed over.
    #[serde(default)]
    pub fault: Option<Code>,
    pub limits: Limits,
}

impl AllocationView {
    /// The try that the row is at, as a step's input.
    pub fn step(&self, allocation_id: AllocationId) -> StepInput {
        StepInput {
            allocation_id,
            attempt: self.attempt,
            operation_id: self.operation_id,
        }
    }
}

/// Policy values (seconds, counts) that bound the workflow, as of this load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub node_attempts: u32,
    pub probe_timeout_seconds: u32,
    pub access_timeout_seconds: u32,
    /// How long a step on a node is tried again before another node is taken.
    pub step_retry_seconds: u32,
    /// How long removal from a node is tried before it counts as failed.
    pub release_retry_seconds: u32,
}

/// What came of asking to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Admission {
    Queued,
    Refused { code: Code },
}

/// A step of provisioning: which allocation, which try, whose operation shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepInput {
    pub allocation_id: AllocationId,
    pub attempt: u32,
    pub operation_id: Option<OperationId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRequest {
    pub allocation_id: AllocationId,
    pub reason: ReleaseReason,
}

/// What releasing has to take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Releasing {
    /// The release operation whose steps are written.
    pub operation_id: OperationId,
    pub attempt: u32,
    /// False: no machine was ever touched, so nothing is to be removed and proved.
    pub touched: bool,
}

/// A stable code that says why something ended badly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailInput {
    pub step: StepInput,
    pub code: Code,
}

/// An order that people gave a running allocation, taken from its operations by `seq`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingOrder {
    pub operation_id: OperationId,
    pub order: Order,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Extend,
    Release,
    RetryRelease,
    ForceRelease,
}

/// Steps of an allocation that live in the database.
pub struct AllocationSteps;

#[activity_definitions]
impl AllocationSteps {
    /// Reads the row. `None`: there is no such allocation.
    #[activity(name = "allocation.load")]
    pub fn load(_: AllocationId) -> Result<Option<AllocationView>, ActivityError> {
        unimplemented!()
    }

    /// `requested → queued`, or `→ failed` where policy refuses it.
    #[activity(name = "allocation.admit")]
    pub fn admit(_: StepInput) -> Result<Admission, ActivityError> {
        unimplemented!()
    }

    /// `provisioning → active`: GPUs held, usage interval open, operation succeeded, event; one
    /// transaction.
    #[activity(name = "allocation.activate")]
    pub fn activate(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// `active → degraded`: its machine is not well, and usage ends where that began.
    #[activity(name = "allocation.degrade")]
    pub fn degrade(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// `degraded → active`: usage goes on. To be called once access was set up and tried again.
    #[activity(name = "allocation.recover")]
    pub fn recover(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// `queued → failed`: it waited in vain; its operation fails with the code.
    #[activity(name = "allocation.fail")]
    pub fn fail(_: FailInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Notes the wish to end, once; a later wish changes nothing. A lease that was extended in the
    /// meantime is none.
    #[activity(name = "allocation.request_release")]
    pub fn request_release(_: ReleaseRequest) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// `→ releasing`: usage interval closed at the wish's instant, a release operation made where
    /// nobody made one.
    #[activity(name = "allocation.begin_release")]
    pub fn begin_release(_: AllocationId) -> Result<Releasing, ActivityError> {
        unimplemented!()
    }

    /// `releasing → released`, its GPUs free again.
    #[activity(name = "allocation.finish_release")]
    pub fn finish_release(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// `→ release_failed`: the GPUs stay out of the pool, the operation fails with the code.
    #[activity(name = "allocation.fail_release")]
    pub fn fail_release(_: FailInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// `release_failed → released` without a proof: the GPUs count as faulty and the node is in quarantine
    /// until a check of it has removed what may be left.
    #[activity(name = "allocation.give_up")]
    pub fn give_up(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// The oldest order not yet worked off.
    #[activity(name = "operation.next")]
    pub fn next_order(_: AllocationId) -> Result<Option<PendingOrder>, ActivityError> {
        unimplemented!()
    }

    /// Moves the lease's end as the operation asks, within policy; finishes the operation.
    #[activity(name = "lease.extend")]
    pub fn extend(_: OperationId) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Tells the tenant that the lease is going to end, if that is due and was not told for this end.
    #[activity(name = "lease.warn")]
    pub fn warn(_: AllocationId) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Fails an order that makes no sense in the allocation's state.
    #[activity(name = "operation.reject")]
    pub fn reject_order(_: OperationId) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

pub use self::allocation_steps::{
    Activate, Admit, BeginRelease, Degrade, Extend, Fail, FailRelease, FinishRelease, GiveUp, Load,
    NextOrder, Recover, RejectOrder, RequestRelease, Warn,
};
