//! Watches over a prepaid balance for as long as something runs on it: a durable timer is set to the
//! next instant at which something is known to change, and anything that changes before wakes it. The
//! rows say how the balance stands, so it may be started anew at any time.

use std::time::Duration;

use contract::balance::{BalanceSteps, GuardInput, Seen};
use domain::money::Money;
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ContinueAsNewOptions, SyncWorkflowContext, TimerOptions, WaitConditionOptions, WorkflowContext,
    WorkflowContextView, WorkflowResult, WorkflowTermination, select,
};

use crate::limits;

#[workflow]
pub struct BalanceGuard {
    input: GuardInput,
    /// Wakes so far.
    wakes: u64,
}

#[workflow_methods]
impl BalanceGuard {
    #[init]
    pub fn new(_ctx: &WorkflowContextView, input: GuardInput) -> Self {
        Self { input, wakes: 0 }
    }

    /// How the balance stood at the end is the result.
    #[run(name = "BalanceGuard")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Option<Seen>> {
        let GuardInput { org_id } = ctx.state(|s| s.input);
        loop {
            let seen_wakes = ctx.state(|s| s.wakes);
            let options = limits::billing("add up what is left");
            let seen = ctx
                .execute_activity(BalanceSteps::look, org_id, options)
                .await?;
            if let Some(seen) = &seen {
                ctx.set_current_details(details(seen));
            }
            if seen.is_some_and(|seen| seen.release) {
                let options = limits::billing("release everything as of the instant of zero");
                let released = ctx
                    .execute_activity(BalanceSteps::release, org_id, options)
                    .await?;
                if released == 0 {
                    // Somebody else is at what is left.
                    wait(ctx, seen_wakes, limits::CONFLICT_PAUSE).await;
                }
            } else if let Some(millis) = seen.and_then(|seen| seen.next_millis) {
                wait(ctx, seen_wakes, Duration::from_millis(millis)).await;
            } else if ctx.state(|s| s.wakes) == seen_wakes {
                return Ok(seen);
            }
            if ctx.cancellation_token().is_cancelled() {
                return Err(WorkflowTermination::cancelled());
            }
            if ctx.history_length() >= limits::HISTORY_EVENTS || ctx.continue_as_new_suggested() {
                let input = ctx.state(|s| s.input);
                ctx.continue_as_new(input, ContinueAsNewOptions::default())?;
            }
        }
    }

    /// Something begins or ends to cost, money came, or terms changed. No data: the steps read the rows.
    #[signal(name = "wake")]
    pub fn wake(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.wakes += 1;
    }
}

/// Sleeps until something changes, or may have.
async fn wait(ctx: &WorkflowContext<BalanceGuard>, seen_wakes: u64, limit: Duration) {
    let token = ctx.cancellation_token();
    let timer = token.child_token();
    let options = TimerOptions::builder(limit)
        .summary("until the balance is in another state, or to be added up again".to_owned())
        .cancellation_token(timer.clone())
        .build();
    let woken = WaitConditionOptions::builder()
        .cancellation_token(token)
        .build();
    select! {
        _ = ctx.wait_condition_with_options(move |s: &BalanceGuard| s.wakes != seen_wakes, woken) => {}
        _ = ctx.timer(options) => {}
    }
    timer.cancel();
}

/// In the words of those who look at it.
fn details(seen: &Seen) -> String {
    let burn = Money {
        amount_micros: seen.burn_micros_per_hour,
        ..seen.available
    };
    let (state, available) = (seen.state, seen.available);
    format!("{state}: {available} left, {burn} an hour")
}
