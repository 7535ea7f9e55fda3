//! From the request to a reservation.

use std::time::Duration;

use contract::allocation::{AllocationSteps, AllocationView, FailInput};
use domain::reason::Code;
use temporalio_workflow::WorkflowContext;

use super::{Allocation, serve_queue, wait};
use crate::step::{self, Failure};

/// Lets it in, or refuses it; either is written in the row.
pub(super) async fn admit(
    ctx: &WorkflowContext<Allocation>,
    view: &AllocationView,
) -> Result<(), Failure> {
    let input = view.step(ctx.state(|s| s.input.allocation_id));
    step::database(ctx, AllocationSteps::admit, input, "admit or refuse").await?;
    Ok(())
}

/// Asks for capacity once, then waits for others to give theirs back, until the queue's deadline.
pub(super) async fn wait_for_capacity(
    ctx: &WorkflowContext<Allocation>,
    seen: u64,
    view: &AllocationView,
) -> Result<(), Failure> {
    let asked = ctx.state_mut(|s| s.asked_at.replace(view.attempt));
    if asked != Some(view.attempt) {
        let served = serve_queue(ctx, view).await;
        if served.is_err() {
            ctx.state_mut(|s| s.asked_at = None);
        }
        return served;
    }
    if let Ok(seconds @ 1..) = u64::try_from(view.queue_remaining_seconds) {
        let limit = Duration::from_secs(seconds);
        wait(ctx, seen, Some(limit), "wait for capacity").await;
        return Ok(());
    }
    let input = FailInput {
        step: view.step(ctx.state(|s| s.input.allocation_id)),
        code: Code::no_capacity(),
    };
    step::database(ctx, AllocationSteps::fail, input, "give up waiting").await
}
