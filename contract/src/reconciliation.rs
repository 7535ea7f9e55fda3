//! What is kept in several places, compared; queue `billing`.

use domain::id::ReconciliationId;
use domain::reconciliation::Comparison;
use serde::{Deserialize, Serialize};
use temporalio_common::ActivityError;
use temporalio_macros::activity_definitions;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompareInput {
    pub reconciliation_id: ReconciliationId,
    pub comparison: Comparison,
}

/// The whole comparison, for whoever looks at it in the UI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    pub reconciliation_id: ReconciliationId,
    /// How many differences each comparison found.
    pub findings: Vec<(Comparison, u64)>,
}

pub struct ReconciliationSteps;

#[activity_definitions]
impl ReconciliationSteps {
    /// Begins the comparison of this run; the same one each time.
    #[activity(name = "reconciliation.open")]
    pub fn open((): ()) -> Result<ReconciliationId, ActivityError> {
        unimplemented!()
    }

    /// Compares two places and writes down where they differ, in place of what an earlier try wrote.
    #[activity(name = "reconciliation.compare")]
    pub fn compare(_: CompareInput) -> Result<u64, ActivityError> {
        unimplemented!()
    }

    /// Ends it.
    #[activity(name = "reconciliation.close")]
    pub fn close(_: ReconciliationId) -> Result<(), ActivityError> {
        unimplemented!()
    }
}

pub use self::reconciliation_steps::{Close, Compare, Open};
