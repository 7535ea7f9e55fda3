//! Bills a period: fixes what is known, then one step of accounts after the other, then the end. Each
//! step finds in the database what was billed before, so a run may be repeated, doubled or broken off
//! at any point.

use contract::billing::{
    Billed, BillingInput, BillingSteps, CloseInput, LateBehind, OpenInput, Opened, Outcome,
    PostInput, Tally,
};
use domain::id::BillingRunId;
use temporalio_common::SearchAttributeKey;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    SyncWorkflowContext, WorkflowContext, WorkflowContextView, WorkflowResult, WorkflowTermination,
};

use crate::limits;

/// Set by a schedule, also when it makes up for times that have passed.
const SCHEDULED_FOR: &str = "TemporalScheduledStartTime";

#[workflow]
pub struct BillingRun {
    input: BillingInput,
}

#[workflow_methods]
impl BillingRun {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: BillingInput) -> Self {
        Self { input }
    }

    /// What was billed is the result, for whoever looks at it in the UI.
    #[run(name = "BillingRun")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Option<Billed>> {
        let scheduled = ctx.search_attributes();
        let scheduled = scheduled.get(&SearchAttributeKey::datetime(SCHEDULED_FOR));
        let mut input = OpenInput {
            run_id: ctx.state(|s| s.input.run_id),
            workflow_id: ctx.workflow_id().to_owned(),
            scheduled_seconds: scheduled.map(|at| at.seconds()),
            late_behind: None,
        };
        let mut billed = None;
        while let Some((opened, done)) = bill_one(ctx, &input).await? {
            let goes_on = input.run_id.is_none() && done.outcome == Outcome::Succeeded;
            // What the UI shows is the period that was asked for.
            billed.get_or_insert(done);
            if !goes_on || ctx.cancellation_token().is_cancelled() {
                break;
            }
            // Each late period is tried once, whatever comes of it.
            input.late_behind = Some(match input.late_behind {
                None => LateBehind::default(),
                Some(_) => LateBehind {
                    start_seconds: opened.period_seconds.0,
                    org_id: opened.org_id,
                },
            });
        }
        if ctx.cancellation_token().is_cancelled() {
            return Err(WorkflowTermination::cancelled());
        }
        Ok(billed)
    }

    /// Somebody wants it called off, or fears for it. No data: the steps read the rows.
    #[signal(name = "wake")]
    pub fn wake(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {}
}

/// Bills one period. `None`: none is late.
async fn bill_one(
    ctx: &WorkflowContext<BillingRun>,
    input: &OpenInput,
) -> Result<Option<(Opened, Billed)>, WorkflowTermination> {
    let options = limits::billing("fix what is billed");
    let opened = ctx
        .execute_activity(BillingSteps::open, input.clone(), options)
        .await?;
    let Some(opened) = opened else {
        return Ok(None);
    };
    let outcome = bill(ctx, opened.run_id).await;
    let input = CloseInput {
        run_id: opened.run_id,
        outcome,
    };
    let options = limits::billing_end("end the run");
    let billed = ctx
        .execute_activity(BillingSteps::close, input, options)
        .await?;
    Ok(Some((opened, billed)))
}

async fn bill(ctx: &WorkflowContext<BillingRun>, run_id: BillingRunId) -> Outcome {
    let mut input = PostInput {
        run_id,
        after: None,
    };
    let mut tally = Tally::default();
    loop {
        let options = limits::billing(&summary(tally));
        let posted = ctx
            .execute_activity(BillingSteps::post, input, options)
            .await;
        match posted {
            Ok(posted) if posted.called_off => return Outcome::CalledOff,
            Ok(posted) if posted.last.is_none() => return Outcome::Succeeded,
            Ok(posted) => {
                tally += posted.tally;
                input.after = posted.last;
            }
            Err(error) if error.as_cancelled().is_some() => return Outcome::CalledOff,
            Err(_) => return Outcome::Failed,
        }
        if ctx.cancellation_token().is_cancelled() {
            return Outcome::CalledOff;
        }
    }
}

/// How far the run is, in the words of those who look at it.
fn summary(tally: Tally) -> String {
    let Tally {
        invoiced,
        unused,
        settled,
        parked,
    } = tally;
    format!(
        "bill accounts ({invoiced} invoiced, {unused} without use, {settled} settled before, {parked} parked so far)"
    )
}
