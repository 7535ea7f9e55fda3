//! Work of an allocation on its machine; queue `node-io`. Each step finds machine and GPUs from
//! allocation and attempt, writes its own step row, heartbeats, and fails with
//! [`crate::failure::NODE_FAULT`] or [`crate::failure::TARGET_DENIED`] where the machine is to
//! blame.

use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

use crate::allocation::StepInput;

pub struct AccessSteps;

#[activity_definitions]
impl AccessSteps {
    /// Compares the machine with what was enrolled, before anything is changed on it.
    #[activity(name = "node.preflight")]
    pub fn preflight(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Makes the tenant's account with its keys and gives it the leased GPUs and no others.
    #[activity(name = "access.install")]
    pub fn install(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Looks through the account's own eyes: it sees exactly the leased GPUs. Keeps the receipt.
    #[activity(name = "access.accept")]
    pub fn accept(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Ends sessions and processes, takes GPUs, keys and account away. Succeeds when there is
    /// nothing left to take.
    #[activity(name = "access.remove")]
    pub fn remove(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Proves by looking that nothing of the allocation is left on the machine.
    #[activity(name = "access.prove_removed")]
    pub fn prove_removed(_: StepInput) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

pub use self::access_steps::{Accept, Install, Preflight, ProveRemoved, Remove};
