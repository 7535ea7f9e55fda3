//! The life of one allocation, from request to the proof that nothing of it is left.
//!
//! The row in Postgres is the state; this workflow looks at it, does what the state calls for, and
//! looks again. So it may be started anew at any time, from any state, and goes on from there.
//! People wake it by a signal without data; what they want is in the row and in its operations.
//!
//! - A bad node is given up: what was put on it is removed and proved removed, its GPUs go back,
//!   it goes into quarantine, and the next node is tried, `limits.node_attempts` at most.
//! - A delete, a cancelled creation, the lease's end and a Temporal cancel all end in `releasing`.
//! - What cannot be taken back ends in `release_failed`, where it waits for people.
//!
//! It lives as long as the allocation does, in runs of at most 30 days or 2,000 events.

mod active;
mod provision;
mod queue;
mod release;

use std::time::{Duration, SystemTime};

use contract::allocation::{
    AllocationInput, AllocationSteps, AllocationView, ReleaseReason, ReleaseRequest,
};
use contract::capacity::{AssignInput, CapacitySteps};
use contract::{attribute, workflow_id};
use domain::state::{AllocationState, StateMachine};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{
    ContinueAsNewOptions, SyncWorkflowContext, TimerOptions, WaitConditionOptions,
    WorkflowCancellationToken, WorkflowContext, WorkflowContextView, WorkflowResult,
    WorkflowTermination, select,
};

use crate::limits;
use crate::step::{self, Failure};

#[workflow]
pub struct Allocation {
    input: AllocationInput,
    started: Option<SystemTime>,
    /// Wakes so far; a step that remembers the number notices the next one.
    wakes: u64,
    /// The try for which capacity was asked, so that it is asked for once.
    asked_at: Option<u32>,
    /// A Temporal cancel has become a wish to release; it means nothing more from then on.
    cancel_noted: bool,
}

/// What the workflow does after a look at its row.
enum Next {
    Look,
    End,
}

#[workflow_methods]
impl Allocation {
    #[init]
    pub fn new(ctx: &WorkflowContextView, input: AllocationInput) -> Self {
        Self {
            input,
            started: ctx.start_time(),
            wakes: 0,
            asked_at: None,
            cancel_noted: false,
        }
    }

    #[run(name = "Allocation")]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        let mut attributes_set = false;
        loop {
            let seen = ctx.state(|s| s.wakes);
            match look(ctx).await {
                Ok(None) => return Ok(()),
                Ok(Some(view)) => {
                    if !std::mem::replace(&mut attributes_set, true) {
                        set_attributes(ctx, &view);
                    }
                    ctx.set_current_details(view.state.as_str());
                    match act(ctx, seen, &view).await {
                        Ok(Next::Look) | Err(Failure::CalledOff | Failure::Node(_)) => {}
                        Ok(Next::End) => return end(ctx),
                        Err(Failure::Conflict) => pause(ctx).await,
                    }
                }
                Err(_) => pause(ctx).await,
            }
            if is_long(ctx) {
                let input = ctx.state(|s| s.input);
                ctx.continue_as_new(input, ContinueAsNewOptions::default())?;
            }
        }
    }

    /// Look at the row again. No data: what is wanted is written there.
    #[signal(name = "wake")]
    pub fn wake(&mut self, _ctx: &mut SyncWorkflowContext<Self>) {
        self.wakes += 1;
    }
}

/// Reads the row; a Temporal cancel becomes a wish to release first.
async fn look(ctx: &WorkflowContext<Allocation>) -> Result<Option<AllocationView>, Failure> {
    let AllocationInput { allocation_id } = ctx.state(|s| s.input);
    if ctx.cancellation_token().is_cancelled() && !ctx.state(|s| s.cancel_noted) {
        let wish = ReleaseRequest {
            allocation_id,
            reason: ReleaseReason::Cancelled,
        };
        let step = AllocationSteps::request_release;
        step::database(ctx, step, wish, "note the cancellation").await?;
        ctx.state_mut(|s| s.cancel_noted = true);
    }
    step::database(
        ctx,
        AllocationSteps::load,
        allocation_id,
        "read the allocation",
    )
    .await
}

/// Does what the row's state calls for.
async fn act(
    ctx: &WorkflowContext<Allocation>,
    seen: u64,
    view: &AllocationView,
) -> Result<Next, Failure> {
    use AllocationState as S;
    match view.state {
        S::Requested | S::Queued | S::Provisioning | S::Active | S::Degraded
            if view.release_requested =>
        {
            release::release(ctx, view).await?;
        }
        S::Requested => queue::admit(ctx, view).await?,
        S::Queued => queue::wait_for_capacity(ctx, seen, view).await?,
        S::Provisioning => provision::provision(ctx, seen, view).await?,
        S::Active | S::Degraded => active::serve(ctx, seen, view).await?,
        S::Releasing => release::release(ctx, view).await?,
        S::ReleaseFailed => release::wait_for_retry(ctx, seen, view).await?,
        S::Released | S::Failed => {
            serve_queue(ctx, view).await?;
            return Ok(Next::End);
        }
    }
    Ok(Next::Look)
}

/// Offers what is free to the queue of the allocation's SKU.
async fn serve_queue(
    ctx: &WorkflowContext<Allocation>,
    view: &AllocationView,
) -> Result<(), Failure> {
    let input = AssignInput {
        sku: view.sku.clone(),
        asked_by: Some(ctx.state(|s| s.input.allocation_id)),
    };
    step::database(ctx, CapacitySteps::assign, input, "give GPUs to the queue").await?;
    Ok(())
}

/// Sleeps until somebody wakes or cancels the workflow, or `limit` has passed.
async fn wait(ctx: &WorkflowContext<Allocation>, seen: u64, limit: Option<Duration>, why: &str) {
    let token = if ctx.state(|s| s.cancel_noted) {
        WorkflowCancellationToken::new()
    } else {
        ctx.cancellation_token()
    };
    let left = limits::RUN_AGE.saturating_sub(age(ctx));
    let timer = token.child_token();
    let options = TimerOptions::builder(limit.map_or(left, |limit| limit.min(left)))
        .summary(why.to_owned())
        .cancellation_token(timer.clone())
        .build();
    let woken = WaitConditionOptions::builder()
        .cancellation_token(token)
        .build();
    select! {
        _ = ctx.wait_condition_with_options(move |s: &Allocation| s.wakes != seen, woken) => {}
        _ = ctx.timer(options) => {}
    }
    timer.cancel();
}

async fn pause(ctx: &WorkflowContext<Allocation>) {
    let options = TimerOptions::builder(limits::CONFLICT_PAUSE)
        .summary("the row moved: look again".to_owned())
        .cancellation_token(WorkflowCancellationToken::new())
        .build();
    ctx.timer(options).await;
}

fn set_attributes(ctx: &WorkflowContext<Allocation>, view: &AllocationView) {
    let allocation = ctx.state(|s| s.input.allocation_id);
    ctx.upsert_search_attributes(
        [
            (attribute::ORG, view.org_id.to_string()),
            (attribute::PROJECT, view.project_id.to_string()),
            (attribute::ALLOCATION, allocation.to_string()),
            (attribute::KIND, workflow_id::ALLOCATION.to_owned()),
        ]
        .map(|(name, value)| attribute::keyword(name).value_set(value)),
    );
}

fn age(ctx: &WorkflowContext<Allocation>) -> Duration {
    let started = ctx.state(|s| s.started);
    started
        .zip(ctx.workflow_time())
        .and_then(|(from, to)| to.duration_since(from).ok())
        .unwrap_or_default()
}

fn is_long(ctx: &WorkflowContext<Allocation>) -> bool {
    ctx.history_length() >= limits::HISTORY_EVENTS
        || ctx.continue_as_new_suggested()
        || age(ctx) >= limits::RUN_AGE
}

fn end(ctx: &WorkflowContext<Allocation>) -> WorkflowResult<()> {
    if ctx.cancellation_token().is_cancelled() {
        return Err(WorkflowTermination::cancelled());
    }
    Ok(())
}
