//! Taking an allocation down: nothing of it may be left, and that is proved.
//!
//! No step here is cancelled by anything; usage has ended before the first one.

use contract::access::AccessSteps;
use contract::allocation::{AllocationSteps, AllocationView, FailInput, Limits, Order, StepInput};
use domain::reason::Code;
use temporalio_workflow::WorkflowContext;

use super::{Allocation, wait};
use crate::limits;
use crate::step::{self, Failure};

/// Releases, or ends in `release_failed` with the GPUs still held.
pub(super) async fn release(
    ctx: &WorkflowContext<Allocation>,
    view: &AllocationView,
) -> Result<(), Failure> {
    let allocation_id = ctx.state(|s| s.input.allocation_id);
    let begin = AllocationSteps::begin_release;
    let releasing = step::database(ctx, begin, allocation_id, "end usage, begin release").await?;
    let step = StepInput {
        allocation_id,
        attempt: releasing.attempt,
        operation_id: Some(releasing.operation_id),
    };
    if releasing.touched {
        match remove(ctx, step, &view.limits).await {
            Ok(()) => {}
            Err(Failure::Node(code)) => {
                let input = FailInput { step, code };
                let activity = AllocationSteps::fail_release;
                return step::database(ctx, activity, input, "keep the GPUs out of the pool").await;
            }
            Err(other) => return Err(other),
        }
    }
    step::database(ctx, AllocationSteps::finish_release, step, "free the GPUs").await
}

/// Takes everything off the machine and proves it gone.
pub(super) async fn remove(
    ctx: &WorkflowContext<Allocation>,
    step: StepInput,
    limits: &Limits,
) -> Result<(), Failure> {
    let (access, probe, patience) = (
        limits.access_timeout_seconds,
        limits.probe_timeout_seconds,
        limits.release_retry_seconds,
    );
    let options = limits::undo_on_node("remove access", access, patience);
    step::on_node(ctx, AccessSteps::remove, step, options)
        .await
        .map_err(unproved)?;
    let options = limits::undo_on_node("prove that it is gone", probe, patience);
    step::on_node(ctx, AccessSteps::prove_removed, step, options)
        .await
        .map_err(unproved)
}

/// A removal that ran out of time without a fault of its own is one that was not proved.
fn unproved(failure: Failure) -> Failure {
    match failure {
        Failure::Node(code) if code == Code::step_exhausted() => {
            Failure::Node(Code::removal_unproved())
        }
        other => other,
    }
}

/// Waits for people to order another try.
pub(super) async fn wait_for_retry(
    ctx: &WorkflowContext<Allocation>,
    seen: u64,
    view: &AllocationView,
) -> Result<(), Failure> {
    let allocation_id = ctx.state(|s| s.input.allocation_id);
    let next = AllocationSteps::next_order;
    match step::database(ctx, next, allocation_id, "look for orders").await? {
        None => {
            wait(ctx, seen, None, "until somebody retries").await;
            Ok(())
        }
        Some(order) if order.order == Order::Extend => {
            let reject = AllocationSteps::reject_order;
            step::database(ctx, reject, order.operation_id, "nothing to extend").await
        }
        Some(order) if order.order == Order::ForceRelease => {
            let step = StepInput {
                operation_id: Some(order.operation_id),
                ..view.step(allocation_id)
            };
            let give_up = AllocationSteps::give_up;
            step::database(ctx, give_up, step, "give up what may be left").await
        }
        Some(_) => release(ctx, view).await,
    }
}
