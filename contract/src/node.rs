//! Taking a machine into the fleet; `node.verify` on queue `node-io`, the others on
//! `provisioning`.

use domain::id::{NodeId, OperationId};
use domain::reason::Code;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Input of the workflow `NodeEnrollment`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInput {
    pub node_id: NodeId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStep {
    pub node_id: NodeId,
    pub operation_id: OperationId,
    /// How long one probe may take, by policy.
    pub timeout_seconds: u32,
    /// How long a node that does not answer is tried again, by policy.
    pub retry_seconds: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFault {
    pub step: NodeStep,
    /// Stable code of what was wrong.
    pub code: Code,
}

/// Whose queue has a node more to be served from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admitted {
    pub sku: String,
}

pub struct NodeSteps;

#[activity_definitions]
impl NodeSteps {
    /// `→ verifying`. `None`: no operation of this node is open.
    #[activity(name = "node.begin")]
    pub fn begin(_: NodeInput) -> Result<Option<NodeStep>, ActivityError> {
        unimplemented!()
    }

    /// Dials the machine, compares host key and inventory with what was announced, records GPUs
    /// and the probe report.
    #[activity(name = "node.verify")]
    pub fn verify(_: NodeStep) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// `verifying → available`; operation succeeded.
    #[activity(name = "node.admit")]
    pub fn admit(_: NodeStep) -> Result<Admitted, ActivityError> {
        unimplemented!()
    }

    /// `verifying → quarantined` with the reason; operation failed.
    #[activity(name = "node.quarantine")]
    pub fn quarantine(_: NodeFault) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

pub use self::node_steps::{Admit, Begin, Quarantine, Verify};
