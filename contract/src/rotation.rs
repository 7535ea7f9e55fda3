//! Replacing the keys that Berth signs with; queue `security`.

use domain::id::{AllocationId, RotationId};
use domain::rotation::{Mode, Outcome};
use domain::signing_key::{Kid, Purpose};
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Input of the workflow `KeyRotation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationInput {
    pub purpose: Purpose,
    /// `None`: the schedule asks, which replaces keys that are old enough.
    pub rotation_id: Option<RotationId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenInput {
    pub rotation: RotationInput,
    /// Of the workflow that asks.
    pub workflow_id: String,
}

/// A rotation under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub rotation_id: RotationId,
    pub mode: Mode,
}

/// The key that comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    pub kid: Kid,
    /// How much longer it has to be known before it signs.
    pub wait_seconds: u32,
}

/// The key that signs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activated {
    /// How much longer what the old one signed holds; 0: not at all.
    pub wait_seconds: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResignInput {
    pub rotation_id: RotationId,
    /// Receipts behind this one; `None`: from the first on.
    pub after: Option<(AllocationId, i32)>,
}

/// What a step signed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resigned {
    pub documents: u32,
    /// The last one looked at; `None`: there was none left.
    pub last: Option<(AllocationId, i32)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseInput {
    pub rotation_id: RotationId,
    pub outcome: Outcome,
}

/// What the whole rotation was, for whoever looks at it in the UI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// `None`: there was nothing to replace.
    pub rotation_id: Option<RotationId>,
    pub outcome: Outcome,
}

pub struct RotationSteps;

#[activity_definitions]
impl RotationSteps {
    /// The rotation of a workflow, the same one each time. `None`: the schedule asks, and the key is
    /// not old enough, or another rotation of its purpose is under way; or this one has ended.
    #[activity(name = "rotation.open")]
    pub fn open(_: OpenInput) -> Result<Option<Opened>, ActivityError> {
        unimplemented!()
    }

    /// Names the old key and the next one, which is published from now on at the latest. Where glass
    /// is broken the next one is made anew: whoever has the old one may have seen it.
    #[activity(name = "rotation.publish")]
    pub fn publish(_: RotationId) -> Result<Published, ActivityError> {
        unimplemented!()
    }

    /// Proves that the next key signs what the published keys verify, and lets it sign. Where glass
    /// is broken every other key of its purpose is revoked by the same transaction.
    #[activity(name = "rotation.activate")]
    pub fn activate(_: RotationId) -> Result<Activated, ActivityError> {
        unimplemented!()
    }

    /// Revokes the old key and all of its purpose that have served their time, and proves that what
    /// they signed is refused.
    #[activity(name = "rotation.revoke")]
    pub fn revoke(_: RotationId) -> Result<(), ActivityError> {
        unimplemented!()
    }

    /// Signs anew what the old key had signed and is still needed, some at a time.
    #[activity(name = "rotation.resign")]
    pub fn resign(_: ResignInput) -> Result<Resigned, ActivityError> {
        unimplemented!()
    }

    /// Ends the rotation and its operation, and signs the evidence.
    #[activity(name = "rotation.close")]
    pub fn close(_: CloseInput) -> Result<Rotated, ActivityError> {
        unimplemented!()
    }
}

pub use self::rotation_steps::{Activate, Close, Open, Publish, Resign, Revoke};
