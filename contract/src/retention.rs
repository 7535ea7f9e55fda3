//! Forgetting what has served its time; queue `maintenance`.

use domain::retention::Forgotten;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// The whole run, for whoever looks at it in the UI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retained {
    /// How many rows of each went.
    pub forgotten: Vec<(Forgotten, u64)>,
    /// Those that the run did not come to; the next one tries again.
    pub failed: Vec<Forgotten>,
}

pub struct RetentionSteps;

#[activity_definitions]
impl RetentionSteps {
    /// Forgets the rows of one kind that have served their time, some at once; how many there were.
    #[activity(name = "retention.forget")]
    pub fn forget(_: Forgotten) -> Result<u64, ActivityError> {
        unimplemented!()
    }
}

pub use self::retention_steps::Forget;
