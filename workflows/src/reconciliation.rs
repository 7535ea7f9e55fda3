//! Compares use, lines, ledger and machines, and says where they differ. It mends nothing.

use contract::reconciliation::{CompareInput, Reconciled, ReconciliationSteps};
use domain::reconciliation::Comparison;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{WorkflowContext, WorkflowContextView, WorkflowResult};

use crate::limits;

#[workflow]
pub struct Reconciliation;

#[workflow_methods]
impl Reconciliation {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, (): ()) -> Self {
        Self
    }

    /// What was found is the result, for whoever looks at it in the UI.
    #[run(name = "Reconciliation")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Reconciled> {
        let options = limits::billing("begin to compare");
        let reconciliation_id = ctx
            .execute_activity(ReconciliationSteps::open, (), options)
            .await?;
        let mut findings = Vec::new();
        for comparison in Comparison::ALL.iter().copied() {
            let input = CompareInput {
                reconciliation_id,
                comparison,
            };
            let options = limits::comparison(&format!("compare {comparison}"));
            let found = ctx
                .execute_activity(ReconciliationSteps::compare, input, options)
                .await?;
            findings.push((comparison, found));
        }
        let options = limits::billing("end it");
        ctx.execute_activity(ReconciliationSteps::close, reconciliation_id, options)
            .await?;
        Ok(Reconciled {
            reconciliation_id,
            findings,
        })
    }
}
