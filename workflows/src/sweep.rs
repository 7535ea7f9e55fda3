//! Restarts what lost its workflow: by a Terminate in the UI, or with Temporal's database. One step,
//! on a schedule; what it does is owed in Postgres, so a sweep that dies is done by the next one.

use contract::sweep::{SweepSteps, Swept};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::limits;

#[workflow]
pub struct Sweep;

#[workflow_methods]
impl Sweep {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, (): ()) -> Self {
        Self
    }

    /// What was found is the result, for whoever looks at it in the UI.
    #[run(name = "Sweep")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Swept> {
        let summary = "restart what has no workflow";
        let swept = ctx
            .execute_activity(SweepSteps::restart, (), limits::sweep(summary))
            .await?;
        Ok(swept)
    }
}
