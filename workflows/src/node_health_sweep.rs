//! Looks at every machine of the fleet, a batch after the other. A batch that fails is left for the
//! next sweep on the schedule, and so is what comes behind it.

use contract::health::{HealthSteps, LookInput, Tally};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::limits;

#[workflow]
pub struct NodeHealthSweep;

#[workflow_methods]
impl NodeHealthSweep {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, (): ()) -> Self {
        Self
    }

    /// What was seen is the result, for whoever looks at it in the UI.
    #[run(name = "NodeHealthSweep")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Tally> {
        let mut tally = Tally::default();
        let mut input = LookInput::default();
        loop {
            let options = limits::health("look at machines");
            let looked = ctx
                .execute_activity(HealthSteps::look, input, options)
                .await?;
            tally += looked.tally;
            if looked.last.is_none() {
                return Ok(tally);
            }
            input.after = looked.last;
        }
    }
}
