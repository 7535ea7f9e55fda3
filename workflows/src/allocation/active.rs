//! While the tenant works: orders, and the lease's end.

use std::time::Duration;

use contract::access::AccessSteps;
use contract::allocation::{
    AllocationSteps, AllocationView, Order, PendingOrder, ReleaseReason, ReleaseRequest,
};
use domain::state::AllocationState;
use temporalio_workflow::WorkflowContext;

use super::provision::OnNode;
use super::{Allocation, wait};
use crate::limits;
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
    let limit = match view.warning_remaining_seconds.map(u64::try_from) {
        Some(Ok(0) | Err(_)) => {
            let warn = AllocationSteps::warn;
            return step::database(ctx, warn, allocation_id, "the lease is going to end").await;
        }
        Some(Ok(seconds)) => {
            let warning = Duration::from_secs(seconds);
            Some(limit.map_or(warning, |limit| limit.min(warning)))
        }
        None => limit,
    };
    match (view.state, &view.fault) {
        (AllocationState::Active, Some(_)) => {
            let (degrade, step) = (AllocationSteps::degrade, view.step(allocation_id));
            step::database(ctx, degrade, step, "its node is not well").await
        }
        (AllocationState::Degraded, None) => heal(ctx, seen, view, limit).await,
        _ => {
            wait(ctx, seen, limit, "until the lease ends, or is about to").await;
            Ok(())
        }
    }
}

/// The node is well again: what its tenant had there is set up once more and tried, because a
/// machine may have been started anew. As long as that does not work, it stays degraded.
async fn heal(
    ctx: &WorkflowContext<Allocation>,
    seen: u64,
    view: &AllocationView,
    limit: Option<Duration>,
) -> Result<(), Failure> {
    let step = view.step(ctx.state(|s| s.input.allocation_id));
    let node = OnNode {
        ctx,
        seen,
        step,
        patience_seconds: view.limits.step_retry_seconds,
    };
    let (access, probe) = (
        view.limits.access_timeout_seconds,
        view.limits.probe_timeout_seconds,
    );
    let again = async {
        let (install, summary) = (AccessSteps::install, "set the tenant's access up again");
        node.run(install, summary, access).await?;
        let (accept, summary) = (AccessSteps::accept, "accept through the tenant's eyes");
        node.run(accept, summary, probe).await
    };
    match again.await {
        Ok(()) => {
            let recover = AllocationSteps::recover;
            step::database(ctx, recover, step, "its node is well again").await
        }
        Err(Failure::Node(_)) => {
            let pause = limit.map_or(limits::HEAL_PAUSE, |limit| limit.min(limits::HEAL_PAUSE));
            wait(ctx, seen, Some(pause), "until it is tried again").await;
            Ok(())
        }
        Err(other) => Err(other),
    }
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
        Order::RetryRelease | Order::ForceRelease => {
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
