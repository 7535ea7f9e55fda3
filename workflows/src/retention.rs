//! Forgets what has served its time, one kind after the other. What fails with one keeps no other from
//! its turn, and is made good by the next run on the schedule.

use contract::retention::{Retained, RetentionSteps};
use domain::retention::Forgotten;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::limits;

#[workflow]
pub struct Retention;

#[workflow_methods]
impl Retention {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, (): ()) -> Self {
        Self
    }

    /// What went is the result, for whoever looks at it in the UI.
    #[run(name = "Retention")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Retained> {
        let mut retained = Retained {
            forgotten: Vec::new(),
            failed: Vec::new(),
        };
        for what in Forgotten::ALL.iter().copied() {
            let options = limits::sweep(&format!("forget {what}"));
            let step = ctx.execute_activity(RetentionSteps::forget, what, options);
            match step.await {
                Ok(rows) => retained.forgotten.push((what, rows)),
                Err(_) => retained.failed.push(what),
            }
        }
        Ok(retained)
    }
}
