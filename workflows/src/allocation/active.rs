//! While the tenant works: orders, and the lease's end.

use std::time::Duration;

use contract::allocation::{
    AllocationSteps, AllocationView, Order, PendingOrder, ReleaseReason, ReleaseRequest,
};
use temporalio_workflow::WorkflowContext;

use super::{Allocation, wait};
use crate::step::{self, Failure};

/// Works off the oldest order; without one, sleeps until there is one or the lease ends.
pub(super) async fn serve(
    ctx: &WorkflowContext<Allocation>,
    seen: u64,
    view: &AllocationView,
) -> Result<(), Failure> {
    let allocation_id = ctx.state(|s| s.input.allocation_id);
    let next = AllocationSteps::next_order;
    if let Some(order) = step::database(ctx, next, allocation_id, "look for orders").await? {
        return carry_out(ctx, order).await;
    }
    let limit = match view.lease_remaining_seconds.map(u64::try_from) {
        Some(Ok(0) | Err(_)) => {
            let reason = ReleaseReason::LeaseExpired;
            return request_release(ctx, reason, "the lease has ended").await;
        }
        Some(Ok(seconds)) => Some(Duration::from_secs(seconds)),
        None => None,
    };
    wait(ctx, seen, limit, "until the lease ends").await;
    Ok(())
}

async fn carry_out(
    ctx: &WorkflowContext<Allocation>,
    PendingOrder {
        operation_id,
        order,
    }: PendingOrder,
) -> Result<(), Failure> {
    match order {
        Order::Extend => {
            let extend = AllocationSteps::extend;
            step::database(ctx, extend, operation_id, "extend the lease").await
        }
        Order::Release => request_release(ctx, ReleaseReason::UserRequest, "release").await,
        Order::RetryRelease => {
            let reject = AllocationSteps::reject_order;
            step::database(ctx, reject, operation_id, "nothing to retry").await
        }
    }
}

async fn request_release(
    ctx: &WorkflowContext<Allocation>,
    reason: ReleaseReason,
    summary: &str,
) -> Result<(), Failure> {
    let wish = ReleaseRequest {
        allocation_id: ctx.state(|s| s.input.allocation_id),
        reason,
    };
    step::database(ctx, AllocationSteps::request_release, wish, summary).await
}
