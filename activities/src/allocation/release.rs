//! Towards `released`: usage ends first, GPUs are free last.

use contract::allocation::{FailInput, ReleaseReason, ReleaseRequest, Releasing, StepInput};
use db::allocation::transition::{self, Held};
use db::operation::NewOperation;
use db::{PgConnection, PgPool};
use domain::event::{AllocationReleaseFailed, AllocationReleased, AllocationReleasing};
use domain::id::{AllocationId, OperationId};
use domain::operation::OperationKind;
use domain::policy::{self, Scope};
use domain::reason::Code;
use domain::state::{AllocationState, NodeState, OperationState, StepState};
use time::OffsetDateTime;

use super::{count, count_transition, hold, publish, record_step};
use crate::audit;
use crate::balance;
use crate::drain;
use crate::quarantine::quarantine;
use crate::refusal::Refusal;

const KINDS: [OperationKind; 3] = [
    OperationKind::AllocationRelease,
    OperationKind::AllocationRetryRelease,
    OperationKind::AllocationForceRelease,
];

pub(super) async fn request(pool: &PgPool, wish: ReleaseRequest) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, wish.allocation_id).await?;
    let noted = match wish.reason {
        ReleaseReason::LeaseExpired => transition::expire_lease(&mut tx, held.id).await?,
        reason => db::allocation::request_release(&mut tx, held.id, reason).await?,
    };
    if noted {
        let reason = wish.reason.code();
        audit::allocation(&mut tx, &held, "allocation.release", Some(&reason)).await?;
    }
    tx.commit().await?;
    Ok(())
}

pub(super) async fn begin(pool: &PgPool, id: AllocationId) -> Result<Releasing, Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, id).await?;
    if matches!(
        held.state,
        AllocationState::Released | AllocationState::Failed
    ) {
        return Err(Refusal::conflict(id, held.state));
    }
    let (since, reason) = wish(&mut tx, &held).await?;
    let operation_id = release_operation(&mut tx, &held).await?;
    if held.state != AllocationState::Releasing {
        db::allocation::close_usage(&mut tx, id, since).await?;
        balance::wake(&mut tx, held.org_id).await?;
        db::capacity::clean(&mut tx, id).await?;
        transition::begin_release(&mut tx, id, held.state).await?;
        let event = AllocationReleasing {
            allocation_id: id,
            project_id: held.project_id,
            reason,
        };
        publish(&mut tx, &held, event).await?;
        let step = "begin_release";
        record_step(
            &mut tx,
            Some(operation_id),
            step,
            StepState::Succeeded,
            None,
        )
        .await?;
        let create = [OperationKind::AllocationCreate];
        if let Some(order) = db::order::oldest(&mut tx, id.uuid(), &create).await? {
            db::order::finish(&mut tx, order.id, OperationState::Cancelled, None).await?;
        }
    }
    let machine = db::capacity::machine(&mut tx, id, held.attempts).await?;
    tx.commit().await?;
    if held.state != AllocationState::Releasing {
        count_transition(held.state, AllocationState::Releasing);
    }
    Ok(Releasing {
        operation_id,
        attempt: count(held.attempts.into()),
        touched: machine.is_some_and(|machine| machine.held && machine.touched),
    })
}

/// Since when and why it is to end. A cancelled creation becomes a wish here.
async fn wish(
    conn: &mut PgConnection,
    held: &Held,
) -> Result<(OffsetDateTime, ReleaseReason), Refusal> {
    if let (Some(since), Some(reason)) = (held.release_requested_at, held.release_reason) {
        return Ok((since, reason));
    }
    let create = [OperationKind::AllocationCreate];
    match db::order::oldest(conn, held.id.uuid(), &create).await? {
        Some(order) if order.cancel_requested_at.is_some() => {}
        _ => return Err(Refusal::conflict(held.id, "nobody wants it to end")),
    }
    db::allocation::request_release(conn, held.id, ReleaseReason::Cancelled).await?;
    let noted = hold(conn, held.id).await?;
    noted
        .release_requested_at
        .zip(noted.release_reason)
        .ok_or_else(|| Refusal::conflict(held.id, "the wish was not noted"))
}

/// The operation that shows the release: the oldest that somebody asked for, or one of our own.
async fn release_operation(conn: &mut PgConnection, held: &Held) -> Result<OperationId, Refusal> {
    if let Some(order) = db::order::oldest(conn, held.id.uuid(), &KINDS).await? {
        db::order::start(conn, order.id).await?;
        return Ok(order.id);
    }
    let scope = Scope::Project(held.org_id, held.project_id);
    let deadline_seconds = db::policy::resolve(conn, &policy::OPERATION_DEADLINE, scope).await?;
    let id: OperationId = db::id::fresh();
    let new = NewOperation {
        id,
        org_id: Some(held.org_id),
        kind: OperationKind::AllocationRelease,
        resource_id: held.id.uuid(),
        workflow_id: &contract::workflow_id::allocation(held.id),
        requested_by: None,
        params: serde_json::json!({}),
        deadline_seconds,
    };
    db::operation::insert(conn, &new).await?;
    db::order::start(conn, id).await?;
    Ok(id)
}

/// `releasing → released`, proved: its GPUs are free.
pub(super) async fn finish(pool: &PgPool, step: StepInput) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, step.allocation_id).await?;
    match held.state {
        AllocationState::Released => return Ok(()),
        AllocationState::Releasing => {}
        state => return Err(Refusal::conflict(held.id, state)),
    }
    let machine = db::capacity::machine(&mut tx, held.id, held.attempts).await?;
    db::capacity::free(&mut tx, held.id).await?;
    if let Some(machine) = machine.filter(|machine| machine.held) {
        drain::settle(&mut tx, machine.node_id, held.id).await?;
    }
    let operation = step.operation_id;
    record_step(&mut tx, operation, "free", StepState::Succeeded, None).await?;
    end(&mut tx, &held, None).await?;
    tx.commit().await?;
    count_transition(held.state, AllocationState::Released);
    Ok(())
}

/// `release_failed → released` on an operator's word. Something may be left on the machine, so it takes
/// nobody until a check of it has removed that.
pub(super) async fn give_up(pool: &PgPool, step: StepInput) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, step.allocation_id).await?;
    match held.state {
        AllocationState::Released => return Ok(()),
        AllocationState::ReleaseFailed => {}
        state => return Err(Refusal::conflict(held.id, state)),
    }
    transition::begin_release(&mut tx, held.id, held.state).await?;
    let code = Code::force_released();
    let machine = db::capacity::machine(&mut tx, held.id, held.attempts).await?;
    if let Some(machine) = machine.filter(|machine| machine.held && machine.touched) {
        db::capacity::give_up(&mut tx, held.id).await?;
        let by = contract::workflow_id::allocation(held.id);
        let from = quarantine(&mut tx, machine.node_id, &code, &by).await?;
        // What people had taken out of service is theirs to bring back.
        if from == Some(NodeState::Available) {
            db::node_health::look_after(&mut tx, machine.node_id).await?;
        }
    } else {
        db::capacity::free(&mut tx, held.id).await?;
    }
    let operation = step.operation_id;
    record_step(&mut tx, operation, "give_up", StepState::Succeeded, None).await?;
    end(&mut tx, &held, Some(&code)).await?;
    tx.commit().await?;
    count_transition(held.state, AllocationState::Released);
    Ok(())
}

/// `→ released`, with all that people see of it. Every order that is still open has nothing left to
/// work on.
async fn end(conn: &mut PgConnection, held: &Held, code: Option<&Code>) -> Result<(), Refusal> {
    let (from, to) = (AllocationState::Releasing, AllocationState::Released);
    transition::end(conn, held.id, from, to, code).await?;
    let event = AllocationReleased {
        allocation_id: held.id,
        project_id: held.project_id,
    };
    publish(conn, held, event).await?;
    let ended = Code::allocation_ended();
    for order in db::order::open(conn, held.id.uuid()).await? {
        let (state, reason) = if order.kind.is_release() {
            (OperationState::Succeeded, None)
        } else {
            (OperationState::Failed, Some(&ended))
        };
        db::order::finish(conn, order.id, state, reason).await?;
    }
    audit::allocation(conn, held, "allocation.released", code).await
}

/// `→ release_failed`: whatever is left on the node, nobody else gets its GPUs.
pub(super) async fn fail(pool: &PgPool, input: &FailInput) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, input.step.allocation_id).await?;
    match held.state {
        AllocationState::ReleaseFailed => return Ok(()),
        AllocationState::Releasing | AllocationState::Provisioning => {}
        state => return Err(Refusal::conflict(held.id, state)),
    }
    db::capacity::clean(&mut tx, held.id).await?;
    transition::fail_release(&mut tx, held.id, held.state, &input.code).await?;
    let event = AllocationReleaseFailed {
        allocation_id: held.id,
        project_id: held.project_id,
        code: input.code.clone(),
    };
    publish(&mut tx, &held, event).await?;
    for order in db::order::open(&mut tx, held.id.uuid()).await? {
        // An operator's word stands; it comes next.
        if order.kind == OperationKind::AllocationForceRelease {
            continue;
        }
        db::order::finish(&mut tx, order.id, OperationState::Failed, Some(&input.code)).await?;
    }
    audit::allocation(
        &mut tx,
        &held,
        "allocation.release_failed",
        Some(&input.code),
    )
    .await?;
    tx.commit().await?;
    count_transition(held.state, AllocationState::ReleaseFailed);
    Ok(())
}
