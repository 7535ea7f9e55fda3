//! What people order of a running allocation, oldest first.

use contract::allocation::{Order, PendingOrder};
use db::PgPool;
use domain::id::{AllocationId, OperationId};
use domain::operation::OperationKind;
use domain::reason::Code;
use domain::state::OperationState;

use crate::refusal::Refusal;

const KINDS: [OperationKind; 4] = [
    OperationKind::AllocationExtend,
    OperationKind::AllocationRelease,
    OperationKind::AllocationRetryRelease,
    OperationKind::AllocationForceRelease,
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
            OperationKind::AllocationForceRelease => Order::ForceRelease,
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

/// Fails an order that makes no sense in the state that the allocation is in.
pub(super) async fn reject(pool: &PgPool, operation: OperationId) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let why = Code::nothing_to_retry();
    db::order::finish(&mut tx, operation, OperationState::Failed, Some(&why)).await?;
    tx.commit().await?;
    Ok(())
}
