//! Who gets which GPUs; queue `provisioning`.

use domain::id::AllocationId;
use domain::reason::Code;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use crate::allocation::StepInput;

/// Whose queue is to be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignInput {
    pub sku: String,
    /// Who asks: looks at its row afterwards anyway and so needs no wake.
    pub asked_by: Option<AllocationId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    pub granted: Vec<AllocationId>,
    pub waiting: u32,
}

/// One try's GPUs go back and its node goes out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveBackInput {
    pub step: StepInput,
    /// What was wrong with the node.
    pub fault: Code,
    /// Whether to stand in the queue again, at the old place, or to fail.
    pub requeue: bool,
}

pub struct CapacitySteps;

#[activity_definitions]
impl CapacitySteps {
    /// Grants heads of a SKU's queue, in order, all or nothing each, until one does not fit; each
    /// grant writes the wake that tells its workflow.
    #[activity(name = "capacity.assign")]
    pub fn assign(_: AssignInput) -> Result<Assigned, ActivityError> {
        unimplemented!()
    }

    /// Takes back the reservation of one try, puts the node into quarantine, and lets the
    /// allocation queue again or fail; one transaction. To be called once nothing is left on the
    /// node.
    #[activity(name = "capacity.give_back")]
    pub fn give_back(_: GiveBackInput) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

pub use self::capacity_steps::{Assign, GiveBack};
