//! Records what was used, a window after the other. A run that fails is made good by the next one
//! on the schedule: what is not recorded yet is known from the intervals, not from the clock.

use contract::billing::{MeteringSteps, Window};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::limits;

#[workflow]
pub struct MeteringWindow;

#[workflow_methods]
impl MeteringWindow {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, (): ()) -> Self {
        Self
    }

    /// What was recorded is the result, for whoever looks at it in the UI.
    #[run(name = "MeteringWindow")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Window> {
        let options = limits::billing("record what was used");
        let metered = ctx
            .execute_activity(MeteringSteps::meter, (), options)
            .await?;
        let options = limits::billing("take back what is left of expired credits");
        let credits_expired = ctx
            .execute_activity(MeteringSteps::expire, (), options)
            .await?;
        Ok(Window {
            metered,
            credits_expired,
        })
    }
}
