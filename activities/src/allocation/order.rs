//! What people order of a running allocation, oldest first.

use contract::allocation::{Order, PendingOrder};
use db::PgPool;
use db::allocation::transition;
use domain::event::AllocationExtended;
use domain::id::{AllocationId, OperationId};
use domain::operation::OperationKind;
use domain::policy::{self, Scope};
use domain::reason::Code;
use domain::state::{AllocationState, OperationState};

use super::{hold, publish};
use crate::audit;
use crate::refusal::Refusal;

const KINDS: [OperationKind; 3] = [
    OperationKind::AllocationExtend,
    OperationKind::AllocationRelease,
    OperationKind::AllocationRetryRelease,
];

/// The oldest order; an extension that somebody called off is not one.
pub(super) async fn next(pool: &PgPool, id: AllocationId) -> Result<Option<PendingOrder>, Refusal> {
    let mut tx = pool.begin().await?;
    let found = loop {
        let Some(order) = db::order::oldest(&mut tx, id.uuid(), &KINDS).await? else {
            break None;
        };
        let kind = match order.kind {
            OperationKind::AllocationExtend if order.cancel_requested_at.is_some() => {
                db::order::finish(&mut tx, order.id, OperationState::Cancelled, None).await?;
                continue;
            }
            OperationKind::AllocationExtend => Order::Extend,
            OperationKind::AllocationRetryRelease => Order::RetryRelease,
            _ => Order::Release,
        };
        break Some(PendingOrder {
            operation_id: order.id,
            order: kind,
        });
    };
    tx.commit().await?;
    Ok(found)
}

/// Adds the ordered seconds to the lease, or fails the operation with the reason.
pub(super) async fn extend(pool: &PgPool, operation: OperationId) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let Some(order) = db::order::get(&mut tx, operation).await? else {
        return Ok(());
    };
    let held = hold(&mut tx, order.resource_id.into()).await?;
    let scope = Scope::Project(held.org_id, held.project_id);
    let most = db::policy::resolve(&mut tx, &policy::LEASE_MAX, scope).await?;
    let seconds = order.params["lease_seconds"].as_i64().unwrap_or_default();
    let in_use = matches!(
        held.state,
        AllocationState::Active | AllocationState::Degraded
    ) && held.release_requested_at.is_none();
    let refused = if !in_use {
        Some(Code::allocation_ended())
    } else if let Some(lease_ends_at) =
        transition::extend_lease(&mut tx, held.id, seconds, most).await?
    {
        let event = AllocationExtended {
            allocation_id: held.id,
            project_id: held.project_id,
            lease_ends_at: lease_ends_at.into(),
        };
        publish(&mut tx, &held, event).await?;
        None
    } else {
        Some(Code::lease_too_long())
    };
    let state = match refused {
        None => OperationState::Succeeded,
        Some(_) => OperationState::Failed,
    };
    db::order::finish(&mut tx, operation, state, refused.as_ref()).await?;
    audit::allocation(&mut tx, &held, "allocation.extend", refused.as_ref()).await?;
    tx.commit().await?;
    Ok(())
}

/// Fails an order that makes no sense in the state that the allocation is in.
pub(super) async fn reject(pool: &PgPool, operation: OperationId) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let why = Code::nothing_to_retry();
    db::order::finish(&mut tx, operation, OperationState::Failed, Some(&why)).await?;
    tx.commit().await?;
    Ok(())
}
