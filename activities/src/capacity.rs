//! Who gets which GPUs, and how they come back.

use std::sync::Arc;

use contract::capacity::{Assign, AssignInput, Assigned, GiveBack, GiveBackInput};
use contract::workflow_id;
use db::allocation::transition::{self, Held};
use db::intent::{IntentKind, NewIntent};
use db::quota::Counting;
use db::{PgConnection, PgPool};
use domain::event::{AllocationProvisioning, AllocationQueued};
use domain::id::{AllocationId, NodeId};
use domain::operation::OperationKind;
use domain::placement::best_fit;
use domain::reason::Code;
use domain::state::{AllocationState, StepState};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::allocation::{
    count, count_transition, end_in_failure, end_in_queue, publish, within_quotas,
};
use crate::quarantine::quarantine;
use crate::refusal::Refusal;

/// Grants of one call; who comes after them is served by the next call.
const GRANTS_MAX: usize = 100;

/// The steps, on a pool of the role `berth_worker`.
#[derive(Debug)]
pub struct Capacity {
    pub pool: PgPool,
}

#[activities]
impl Capacity {
    #[activity(definition = Assign)]
    pub async fn assign(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: AssignInput,
    ) -> Result<Assigned, ActivityError> {
        Ok(assign(&self.pool, &input).await?)
    }

    #[activity(definition = GiveBack)]
    pub async fn give_back(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: GiveBackInput,
    ) -> Result<(), ActivityError> {
        Ok(give_back(&self.pool, &input).await?)
    }
}

/// Serves a SKU's queue in strict order, one transaction each, until the first in it does not
/// fit. Any number of these may run at once.
pub async fn assign(pool: &PgPool, input: &AssignInput) -> Result<Assigned, Refusal> {
    let mut granted = Vec::new();
    while granted.len() < GRANTS_MAX {
        match serve_head(pool, input).await? {
            Served::Granted(allocation) => granted.push(allocation),
            Served::Refused => {}
            Served::Nobody => break,
        }
    }
    let mut conn = pool.acquire().await?;
    let waiting = db::allocation::queue::length(&mut conn, &input.sku).await?;
    Ok(Assigned {
        granted,
        waiting: count(waiting),
    })
}

/// What became of the first in the queue.
enum Served {
    Granted(AllocationId),
    /// A quota that was lowered meanwhile does not allow it any more: it has failed.
    Refused,
    /// Nobody waits, or it does not fit.
    Nobody,
}

/// Gives the first in the queue its GPUs, all on one node, if its quotas allow that at this moment:
/// whoever else reserves GPUs of the SKU comes before or after this transaction.
async fn serve_head(pool: &PgPool, input: &AssignInput) -> Result<Served, Refusal> {
    let mut tx = pool.begin().await?;
    db::capacity::lock(&mut tx, &input.sku).await?;
    let Some(held) = hold_head(&mut tx, &input.sku).await? else {
        return Ok(Served::Nobody);
    };
    let (served, to) = if within_quotas(&mut tx, &held, Counting::Reserved).await? {
        let candidates = db::capacity::candidates(&mut tx, &input.sku, held.id).await?;
        let Some(node) = best_fit(count(held.gpu_count.into()), &candidates) else {
            return Ok(Served::Nobody);
        };
        let attempt = transition::provision(&mut tx, held.id).await?;
        let gpus = held.gpu_count;
        db::capacity::reserve(&mut tx, held.org_id, held.id, attempt, node, gpus).await?;
        announce(&mut tx, &held, node, attempt).await?;
        (Served::Granted(held.id), AllocationState::Provisioning)
    } else {
        end_in_queue(&mut tx, &held, &Code::quota_exceeded()).await?;
        (Served::Refused, AllocationState::Failed)
    };
    if input.asked_by != Some(held.id) {
        wake(&mut tx, &held).await?;
    }
    tx.commit().await?;
    count_transition(AllocationState::Queued, to);
    Ok(served)
}

/// Has the allocation's workflow look at its row.
async fn wake(conn: &mut PgConnection, held: &Held) -> Result<(), Refusal> {
    let wake = NewIntent {
        kind: IntentKind::Wake,
        org_id: Some(held.org_id),
        workflow_type: workflow_id::ALLOCATION,
        workflow_id: &workflow_id::allocation(held.id),
        resource_id: held.id.uuid(),
        operation_id: None,
    };
    db::intent::append(conn, &wake).await?;
    Ok(())
}

/// The first in the queue, held. It may leave the queue while it is waited for; then the next one
/// is the first.
async fn hold_head(conn: &mut PgConnection, sku: &str) -> Result<Option<Held>, Refusal> {
    while let Some(id) = db::allocation::queue::head(conn, sku).await? {
        match transition::hold(conn, id).await? {
            Some(held)
                if held.state == AllocationState::Queued && held.release_requested_at.is_none() =>
            {
                return Ok(Some(held));
            }
            _ => {}
        }
    }
    Ok(None)
}

async fn announce(
    conn: &mut PgConnection,
    held: &Held,
    node: NodeId,
    attempt: i32,
) -> Result<(), Refusal> {
    let event = AllocationProvisioning {
        allocation_id: held.id,
        project_id: held.project_id,
        node_id: node,
        attempt: count(attempt.into()),
    };
    publish(conn, held, event).await?;
    let create = [OperationKind::AllocationCreate];
    if let Some(order) = db::order::oldest(conn, held.id.uuid(), &create).await? {
        let (state, step) = (StepState::Succeeded, "reserve");
        db::operation_step::finish(conn, order.id, step, state, None).await?;
    }
    Ok(())
}

/// Takes back a try whose node was at fault. Nothing of it may be left on the node.
pub async fn give_back(pool: &PgPool, input: &GiveBackInput) -> Result<(), Refusal> {
    let step = input.step;
    let mut tx = pool.begin().await?;
    let held = transition::hold(&mut tx, step.allocation_id)
        .await?
        .ok_or_else(|| Refusal::conflict(step.allocation_id, "there is no such allocation"))?;
    let attempt = i32::try_from(step.attempt).unwrap_or(i32::MAX);
    let machine = db::capacity::machine(&mut tx, held.id, attempt)
        .await?
        .ok_or_else(|| Refusal::conflict(held.id, "there was no such try"))?;
    if !machine.held {
        return Ok(());
    }
    if held.state != AllocationState::Provisioning || held.attempts != attempt {
        return Err(Refusal::conflict(held.id, held.state));
    }
    db::capacity::free(&mut tx, held.id).await?;
    let by = workflow_id::allocation(held.id);
    quarantine(&mut tx, machine.node_id, &input.fault, &by).await?;
    let to = if input.requeue {
        transition::enter_queue(&mut tx, held.id, held.state, Some(&input.fault)).await?;
        let event = AllocationQueued {
            allocation_id: held.id,
            project_id: held.project_id,
        };
        publish(&mut tx, &held, event).await?;
        if let Some(operation) = step.operation_id {
            db::operation_step::start(&mut tx, operation, "reserve").await?;
        }
        AllocationState::Queued
    } else {
        end_in_failure(&mut tx, &held, &input.fault).await?;
        AllocationState::Failed
    };
    tx.commit().await?;
    count_transition(held.state, to);
    Ok(())
}
