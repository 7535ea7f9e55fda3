//! Who gets which GPUs; queue `provisioning`.

use domain::id::AllocationId;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use crate::allocation::StepInput;

/// Whose queue is to be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssignInput {
    pub sku: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assigned {
    pub granted: Vec<AllocationId>,
    pub waiting: u32,
}

/// GPUs of one try go back; with a fault, the node goes out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveBack {
    pub step: StepInput,
    /// Stable code of what was wrong with the node, if it was the node.
    pub node_fault: Option<String>,
    /// Whether to stand in the queue again, at the old place.
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

    /// Takes back the reservation of one try. To be called once nothing of it is on the node.
    #[activity(name = "capacity.give_back")]
    pub fn give_back(_: GiveBack) -> Result<(), ActivityError> {
        unimplemented!()
    }
}
