//! Looking after machines that are in the fleet; `health.look` on queue `node-io`.

use domain::id::NodeId;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// Which machines come next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookInput {
    /// Those behind this one; `None`: from the first on.
    pub after: Option<NodeId>,
}

/// What was seen, and where to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The last one looked at; `None`: there was none left.
    pub last: Option<NodeId>,
    pub tally: Tally,
}

/// Machines by what the look at them saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    pub well: u32,
    /// Something was found.
    pub ailing: u32,
    /// They did not answer.
    pub away: u32,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.well += more.well;
        self.ailing += more.ailing;
        self.away += more.away;
    }
}

pub struct HealthSteps;

#[activity_definitions]
impl HealthSteps {
    /// Looks at up to a hundred machines in the order of their ids and writes down how each fares;
    /// what cannot be used takes no more reservations, and who has GPUs there is woken. Repeating
    /// it is one look more.
    #[activity(name = "health.look")]
    pub fn look(_: LookInput) -> Result<Looked, ActivityError> {
        unimplemented!()
    }
}

pub use self::health_steps::Look;
