//! Rows whose workflow is gone; queue `maintenance`.

use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

/// What one sweep saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swept {
    /// Rows that call for a running workflow.
    pub live: u32,
    /// Those that had none: each is owed one now.
    pub restarted: u32,
}

pub struct SweepSteps;

#[activity_definitions]
impl SweepSteps {
    /// Asks Temporal about each live row's workflow; where none runs, writes the wake that starts
    /// one. Repeating it is harmless: a row that is owed a wake already is left alone.
    #[activity(name = "sweep.restart")]
    pub fn restart((): ()) -> Result<Swept, ActivityError> {
        unimplemented!()
    }
}

pub use self::sweep_steps::Restart;
