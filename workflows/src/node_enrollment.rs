//! Takes a machine into the fleet, or checks it again.
//!
//! Each open operation of the node is one check: `verify` dials it and compares it with what was
//! announced; then it is `available`, and the queue of its SKU is served, or in quarantine with
//! the reason. Ends when no operation is open. A cancel counts as a check that was not passed.

use contract::capacity::{AssignInput, CapacitySteps};
use contract::node::{NodeFault, NodeInput, NodeStep, NodeSteps};
use contract::{attribute, workflow_id};
use domain::reason::Code;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, TimerOptions, WorkflowCancellationToken, WorkflowContext,
    WorkflowContextView, WorkflowResult, WorkflowTermination,
};

use crate::limits;
use crate::step::{self, Failure};

#[workflow]
pub struct NodeEnrollment {
    input: NodeInput,
    wakes: u64,
}

#[workflow_methods]
impl NodeEnrollment {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: NodeInput) -> Self {
        Self { input, wakes: 0 }
    }

    #[run(name = "NodeEnrollment")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        set_attributes(ctx);
        loop {
            let seen = ctx.state(|s| s.wakes);
            match check_next(ctx).await {
                Ok(true) => {}
                Ok(false) if ctx.state(|s| s.wakes) != seen => {}
                Ok(false) => break,
                Err(_) => pause(ctx).await,
            }
        }
        if ctx.cancellation_token().is_cancelled() {
            return Err(WorkflowTermination::cancelled());
        }
        Ok(())
    }

    /// There is an operation more. No data: it is in its row.
    #[signal(name = "wake")]
    pub fn wake(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.wakes += 1;
    }
}

/// Carries out the oldest open operation. `false`: there is none.
async fn check_next(ctx: &WorkflowContext<NodeEnrollment>) -> Result<bool, Failure> {
    let input = ctx.state(|s| s.input);
    let Some(check) = step::database(ctx, NodeSteps::begin, input, "begin the check").await? else {
        return Ok(false);
    };
    let (timeout, retry) = (check.timeout_seconds, check.retry_seconds);
    let token = ctx.cancellation_token();
    let options = limits::on_node("verify the node", timeout, retry, token);
    let code = match step::on_node(ctx, NodeSteps::verify, check, options).await {
        Ok(()) => {
            admit(ctx, check).await?;
            return Ok(true);
        }
        Err(Failure::Node(code)) => code,
        Err(Failure::CalledOff) => Code::cancelled(),
        Err(Failure::Conflict) => return Err(Failure::Conflict),
    };
    let fault = NodeFault { step: check, code };
    let quarantine = NodeSteps::quarantine;
    step::database(ctx, quarantine, fault, "put it into quarantine").await?;
    Ok(true)
}

async fn admit(ctx: &WorkflowContext<NodeEnrollment>, check: NodeStep) -> Result<(), Failure> {
    let admitted = step::database(ctx, NodeSteps::admit, check, "admit to the fleet").await?;
    let input = AssignInput {
        sku: admitted.sku,
        asked_by: None,
    };
    let summary = "give GPUs to the queue";
    loop {
        let assign = CapacitySteps::assign;
        if step::database(ctx, assign, input.clone(), summary)
            .await
            .is_ok()
        {
            return Ok(());
        }
        // The check is over: nobody else would ask.
        pause(ctx).await;
    }
}

async fn pause(ctx: &WorkflowContext<NodeEnrollment>) {
    let options = TimerOptions::builder(limits::CONFLICT_PAUSE)
        .summary("the row moved: look again".to_owned())
        .cancellation_token(WorkflowCancellationToken::new())
        .build();
    ctx.timer(options).await;
}

fn set_attributes(ctx: &WorkflowContext<NodeEnrollment>) {
    let node = ctx.state(|s| s.input.node_id);
    ctx.upsert_search_attributes(
        [
            (attribute::NODE, node.to_string()),
            (attribute::KIND, workflow_id::NODE_ENROLLMENT.to_owned()),
        ]
        .map(|(name, value)| attribute::keyword(name).value_set(value)),
    );
}
