//! `provisioning → active`.

use contract::allocation::StepInput;
use db::PgPool;
use db::allocation::transition;
use domain::event::AllocationActive;
use domain::state::{AllocationState, OperationState, StepState};

use super::{count, count_transition, hold, publish, record_step};
use crate::audit;
use crate::balance;
use crate::refusal::Refusal;

/// GPUs held, usage open, operation succeeded, event: one transaction, or none of it.
pub(super) async fn activate(pool: &PgPool, step: StepInput) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, step.allocation_id).await?;
    match held.state {
        _ if count(held.attempts.into()) != step.attempt => {
            return Err(Refusal::conflict(held.id, "another try is under way"));
        }
        AllocationState::Active | AllocationState::Degraded => return Ok(()),
        AllocationState::Provisioning if held.release_requested_at.is_none() => {}
        state => return Err(Refusal::conflict(held.id, state)),
    }
    db::capacity::hand_over(&mut tx, held.id, held.attempts, held.gpu_count).await?;
    let activated = transition::activate(&mut tx, held.id).await?;
    db::allocation::open_usage(&mut tx, held.id, activated.active_at).await?;
    balance::wake(&mut tx, held.org_id).await?;
    let event = AllocationActive {
        allocation_id: held.id,
        project_id: held.project_id,
        lease_ends_at: activated.lease_ends_at.into(),
    };
    publish(&mut tx, &held, event).await?;
    let operation = step.operation_id;
    record_step(&mut tx, operation, "activate", StepState::Succeeded, None).await?;
    if let Some(operation) = operation {
        db::order::finish(&mut tx, operation, OperationState::Succeeded, None).await?;
    }
    audit::allocation(&mut tx, &held, "allocation.activate", None).await?;
    tx.commit().await?;
    count_transition(held.state, AllocationState::Active);
    Ok(())
}
