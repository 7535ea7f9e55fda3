//! The chains of the audit log; queue `maintenance`.

use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// The whole run, for whoever looks at it in the UI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Entries that are in a chain now.
    pub entries: u64,
    /// The number of the signed heads that were exported; `None`: it was not their time.
    pub checkpoint: Option<i64>,
    /// Heads could not be exported; the next run tries again.
    pub checkpoint_failed: bool,
}

pub struct AuditSteps;

#[activity_definitions]
impl AuditSteps {
    /// Puts all entries that wait for it into the chains of their organizations; how many there were.
    #[activity(name = "audit.seal")]
    pub fn seal((): ()) -> Result<u64, ActivityError> {
        unimplemented!()
    }

    /// Signs the heads that have moved and exports them, where it is time; the number they go by.
    #[activity(name = "audit.checkpoint")]
    pub fn checkpoint((): ()) -> Result<Option<i64>, ActivityError> {
        unimplemented!()
    }
}

pub use self::audit_steps::{Checkpoint, Seal};
