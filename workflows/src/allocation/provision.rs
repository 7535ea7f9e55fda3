//! From a reservation to a machine that its tenant can log in to.

use contract::access::AccessSteps;
use contract::allocation::{AllocationSteps, AllocationView, FailInput, StepInput};
use contract::capacity::{CapacitySteps, GiveBackInput};
use domain::reason::Code;
use temporalio_common::ActivityDefinition;
use temporalio_workflow::{WorkflowContext, select};

use super::{Allocation, look, release};
use crate::limits;
use crate::saga::Saga;
use crate::step::{self, Failure};

/// Sets the machine up. When the machine turns out bad, everything on it is taken back, in
/// reverse, and the row goes back to the queue or fails; what cannot be taken back makes it
/// `release_failed`, its GPUs still its own.
pub(super) async fn provision(
    ctx: &WorkflowContext<Allocation>,
    seen: u64,
    view: &AllocationView,
) -> Result<(), Failure> {
    let step = view.step(ctx.state(|s| s.input.allocation_id));
    let mut saga = Saga::new();
    let Err(failure) = set_up(ctx, seen, view, step, &mut saga).await else {
        return Ok(());
    };
    let Failure::Node(fault) = failure else {
        return Err(failure);
    };
    match saga.unwind(&fault).await {
        Err(Failure::Node(code)) => {
            let input = FailInput { step, code };
            let activity = AllocationSteps::fail_release;
            step::database(ctx, activity, input, "keep the GPUs out of the pool").await
        }
        other => other,
    }
}

async fn set_up<'a>(
    ctx: &'a WorkflowContext<Allocation>,
    seen: u64,
    view: &'a AllocationView,
    step: StepInput,
    saga: &mut Saga<'a, Code>,
) -> Result<(), Failure> {
    // The reservation was made by `capacity.assign`; an earlier run may have come further still.
    saga.undo_with(move |fault| give_back(ctx, view, step, fault));
    saga.undo_with(move |_| take_away(ctx, step));
    let node = OnNode {
        ctx,
        seen,
        step,
        patience_seconds: view.limits.step_retry_seconds,
    };
    let (probe, access) = (
        view.limits.probe_timeout_seconds,
        view.limits.access_timeout_seconds,
    );
    node.run(AccessSteps::preflight, "probe the node", probe)
        .await?;
    node.run(AccessSteps::install, "install the tenant's access", access)
        .await?;
    node.run(
        AccessSteps::accept,
        "accept through the tenant's eyes",
        probe,
    )
    .await?;
    step::database(ctx, AllocationSteps::activate, step, "hand over").await
}

/// Steps of one try on its machine. Each ends early when somebody wants the allocation to end.
pub(super) struct OnNode<'a> {
    pub(super) ctx: &'a WorkflowContext<Allocation>,
    pub(super) seen: u64,
    pub(super) step: StepInput,
    pub(super) patience_seconds: u32,
}

impl OnNode<'_> {
    pub(super) async fn run<A>(
        &self,
        activity: A,
        summary: &str,
        timeout_seconds: u32,
    ) -> Result<(), Failure>
    where
        A: ActivityDefinition<Input = StepInput, Output = ()>,
    {
        let token = self.ctx.cancellation_token().child_token();
        let options = limits::on_node(
            summary,
            timeout_seconds,
            self.patience_seconds,
            token.clone(),
        );
        let mut running = self.ctx.execute_activity(activity, self.step, options);
        let mut seen = self.seen;
        loop {
            select! {
                done = running => return Ok(done?),
                _ = self.ctx.wait_condition(move |s: &Allocation| s.wakes != seen) => {}
            }
            seen = self.ctx.state(|s| s.wakes);
            // A row that cannot be read now is read again after the step.
            let wanted = match look(self.ctx).await {
                Ok(Some(view)) => view.release_requested,
                Ok(None) => true,
                Err(_) => false,
            };
            if wanted {
                token.cancel();
                // It may have come to its end all the same; the release does not mind.
                let _stopped = running.await;
                return Err(Failure::CalledOff);
            }
        }
    }
}

/// Removes what may be on the machine. Whether anything may be is in the row, written before the
/// first effect.
async fn take_away(ctx: &WorkflowContext<Allocation>, step: StepInput) -> Result<(), Failure> {
    match look(ctx).await? {
        Some(view) if view.attempt == step.attempt && view.touched => {
            release::remove(ctx, step, &view.limits).await
        }
        _ => Ok(()),
    }
}

async fn give_back(
    ctx: &WorkflowContext<Allocation>,
    view: &AllocationView,
    step: StepInput,
    fault: Code,
) -> Result<(), Failure> {
    let input = GiveBackInput {
        step,
        fault,
        requeue: view.attempt < view.limits.node_attempts,
    };
    let activity = CapacitySteps::give_back;
    step::database(ctx, activity, input, "give the GPUs back").await
}
