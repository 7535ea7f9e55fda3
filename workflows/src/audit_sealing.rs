//! Puts new entries of the audit log into their chains, and signs the heads when it is time. What a run
//! does not come to, the next one on the schedule does.

use contract::audit::{AuditSteps, Sealed};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::limits;

#[workflow]
pub struct AuditSealing;

#[workflow_methods]
impl AuditSealing {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, (): ()) -> Self {
        Self
    }

    /// What was sealed is the result, for whoever looks at it in the UI.
    #[run(name = "AuditSealing")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Sealed> {
        let options = limits::sweep("seal new entries");
        let entries = ctx.execute_activity(AuditSteps::seal, (), options).await?;
        let options = limits::sweep("sign the heads");
        let signed = ctx.execute_activity(AuditSteps::checkpoint, (), options);
        // An object store that is away keeps nobody from sealing.
        let signed = signed.await;
        Ok(Sealed {
            entries,
            checkpoint: signed.as_ref().ok().copied().flatten(),
            checkpoint_failed: signed.is_err(),
        })
    }
}
