//! `active ⇄ degraded`: while its machine is not well, nobody pays for it.

use contract::allocation::StepInput;
use db::PgPool;
use db::allocation::transition;
use domain::event::{AllocationDegraded, AllocationRecovered};
use domain::state::AllocationState;

use super::{count, count_transition, hold, publish};
use crate::audit;
use crate::balance;
use crate::refusal::Refusal;

/// `active → degraded`: usage ends where the fault began.
pub(super) async fn degrade(pool: &PgPool, step: StepInput) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, step.allocation_id).await?;
    match held.state {
        AllocationState::Degraded => return Ok(()),
        AllocationState::Active if count(held.attempts.into()) == step.attempt => {}
        state => return Err(Refusal::conflict(held.id, state)),
    }
    let Some(fault) = db::node_health::fault_of(&mut tx, held.id).await? else {
        return Err(Refusal::conflict(held.id, "its machine is well"));
    };
    let until = held
        .lease_ends_at
        .map_or(fault.since, |end| end.min(fault.since));
    db::allocation::close_usage(&mut tx, held.id, until).await?;
    balance::wake(&mut tx, held.org_id).await?;
    transition::degrade(&mut tx, held.id, &fault.code).await?;
    let event = AllocationDegraded {
        allocation_id: held.id,
        project_id: held.project_id,
        code: fault.code.clone(),
    };
    publish(&mut tx, &held, event).await?;
    audit::allocation(&mut tx, &held, "allocation.degrade", Some(&fault.code)).await?;
    tx.commit().await?;
    count_transition(held.state, AllocationState::Degraded);
    Ok(())
}

/// `degraded → active`: usage goes on from now. Its access was set up and tried before.
pub(super) async fn recover(pool: &PgPool, step: StepInput) -> Result<(), Refusal> {
    let mut tx = pool.begin().await?;
    let held = hold(&mut tx, step.allocation_id).await?;
    match held.state {
        AllocationState::Active => return Ok(()),
        AllocationState::Degraded if count(held.attempts.into()) == step.attempt => {}
        state => return Err(Refusal::conflict(held.id, state)),
    }
    if db::node_health::fault_of(&mut tx, held.id).await?.is_some() {
        return Err(Refusal::conflict(held.id, "its machine is not well"));
    }
    let now = transition::recover(&mut tx, held.id).await?;
    db::allocation::open_usage(&mut tx, held.id, now).await?;
    balance::wake(&mut tx, held.org_id).await?;
    let event = AllocationRecovered {
        allocation_id: held.id,
        project_id: held.project_id,
    };
    publish(&mut tx, &held, event).await?;
    audit::allocation(&mut tx, &held, "allocation.recover", None).await?;
    tx.commit().await?;
    count_transition(held.state, AllocationState::Active);
    Ok(())
}
