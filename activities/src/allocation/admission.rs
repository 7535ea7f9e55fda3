//! In, or not: before there is a reservation.

use contract::allocation::{Admission, FailInput, StepInput};
use db::allocation::transition::{self, Held};
use db::quota::Counting;
use db::{PgConnection, PgPool};
use domain::event::{AllocationFailed, AllocationQueued};
use domain::operation::OperationKind;
use domain::policy::{self, Scope};
use domain::quota::Usage;
use domain::reason::Code;
use domain::state::{AllocationState, OperationState, StepState};

use super::{count_transition, hold, publish, record_step};
use crate::audit;
use crate::balance;
use crate::refusal::Refusal;

pub(super) async fn admit(pool: &PgPool, step: StepInput) -> Result<Admission, Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, step.allocation_id).await?;
    match (held.state, &held.state_reason) {
        (AllocationState::Requested, _) => {}
        (AllocationState::Failed, Some(code)) => {
            return Ok(Admission::Refused { code: code.clone() });
        }
        _ => return Ok(Admission::Queued),
    }
    let refused = refusal(&mut tx, &held).await?;
    let to = if let Some(code) = &refused {
        let detail = Some(code.as_str());
        record_step(
            &mut tx,
            step.operation_id,
            "admit",
            StepState::Failed,
            detail,
        )
        .await?;
        end_in_failure(&mut tx, &held, code).await?;
        AllocationState::Failed
    } else {
        let operation = step.operation_id;
        record_step(&mut tx, operation, "admit", StepState::Succeeded, None).await?;
        if let Some(operation) = operation {
            db::operation_step::start(&mut tx, operation, "reserve").await?;
        }
        transition::enter_queue(&mut tx, held.id, held.state, None).await?;
        let event = AllocationQueued {
            allocation_id: held.id,
            project_id: held.project_id,
        };
        publish(&mut tx, &held, event).await?;
        AllocationState::Queued
    };
    tx.commit().await?;
    count_transition(held.state, to);
    Ok(refused.map_or(Admission::Queued, |code| Admission::Refused { code }))
}

/// What speaks against it, if anything does.
async fn refusal(conn: &mut PgConnection, held: &Held) -> Result<Option<Code>, Refusal> {
    if db::allocation::queue::sku_is_retired(conn, &held.sku).await? {
        return Ok(Some(Code::sku_retired()));
    }
    let scope = Scope::Project(held.org_id, held.project_id);
    let most = db::policy::resolve(conn, &policy::GPUS_MAX, scope).await?;
    db::allocation::queue::lock_admissions(conn, held.project_id).await?;
    let gpus_used =
        db::allocation::queue::admitted_gpus(conn, held.project_id, Some(held.id)).await?;
    let usage = Usage {
        gpus_max: most,
        gpus_used,
    };
    if !usage.allows(held.gpu_count.into()) {
        return Ok(Some(Code::quota_exceeded()));
    }
    db::quota::lock(conn, held.org_id, &held.sku).await?;
    let within = within_quotas(conn, held, Counting::Admitted).await?;
    if !within {
        return Ok(Some(Code::quota_exceeded()));
    }
    balance::lacking(conn, held).await
}

/// Whether every quota allows it beside the others that count.
pub(crate) async fn within_quotas(
    conn: &mut PgConnection,
    held: &Held,
    counting: Counting,
) -> Result<bool, Refusal> {
    let (org, project, id) = (held.org_id, held.project_id, Some(held.id));
    let binding = db::quota::binding(conn, org, project, &held.sku, counting, id).await?;
    let gpus = i64::from(held.gpu_count);
    Ok(binding.iter().all(|quota| quota.usage.allows(gpus)))
}

/// `queued → failed`: the wait is over and nothing was reserved.
pub(super) async fn give_up(pool: &PgPool, input: &FailInput) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, input.step.allocation_id).await?;
    match held.state {
        AllocationState::Failed => return Ok(()),
        AllocationState::Queued if held.release_requested_at.is_none() => {}
        state => return Err(Refusal::conflict(held.id, state)),
    }
    end_in_queue(&mut tx, &held, &input.code).await?;
    tx.commit().await?;
    count_transition(held.state, AllocationState::Failed);
    Ok(())
}

/// `queued → failed`: nothing will be reserved for it.
pub(crate) async fn end_in_queue(
    conn: &mut PgConnection,
    held: &Held,
    code: &Code,
) -> Result<(), Refusal> {
    let create = [OperationKind::AllocationCreate];
    if let Some(order) = db::order::oldest(conn, held.id.uuid(), &create).await? {
        let (state, detail) = (StepState::Failed, Some(code.as_str()));
        db::operation_step::finish(conn, order.id, "reserve", state, detail).await?;
    }
    end_in_failure(conn, held, code).await
}

/// `→ failed`, with all that people see of it. Nothing of it may be held any more.
pub(crate) async fn end_in_failure(
    conn: &mut PgConnection,
    held: &Held,
    code: &Code,
) -> Result<(), Refusal> {
    transition::end(
        conn,
        held.id,
        held.state,
        AllocationState::Failed,
        Some(code),
    )
    .await?;
    let event = AllocationFailed {
        allocation_id: held.id,
        project_id: held.project_id,
        code: code.clone(),
    };
    publish(conn, held, event).await?;
    for order in db::order::open(conn, held.id.uuid()).await? {
        db::order::finish(conn, order.id, OperationState::Failed, Some(code)).await?;
    }
    audit::allocation(conn, held, "allocation.fail", Some(code)).await?;
    Ok(())
}
