//! Steps of an allocation in the database: each is one transaction that holds the row, checks its
//! state, changes it, and writes the event, the step and the operation that belong to it. Done
//! before by an earlier try of the same step: success, and nothing is written again.

mod admission;
mod handover;
mod health;
mod lease;
mod order;
mod release;

use std::sync::Arc;

use contract::allocation::{
    Activate, Admission, Admit, AllocationView, BeginRelease, Degrade, Extend, Fail, FailInput,
    FailRelease, FinishRelease, GiveUp, Limits, Load, NextOrder, PendingOrder, Recover,
    RejectOrder, ReleaseRequest, Releasing, RequestRelease, StepInput, Warn,
};
use db::allocation::queue::View;
use db::allocation::transition::{self, Held};
use db::{PgConnection, PgPool};
use domain::event::Event;
use domain::id::{AllocationId, OperationId};
use domain::policy::{self, Policy, Scope};
use domain::state::{AllocationState, StateMachine, StepState};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

use crate::refusal::Refusal;

pub(crate) use admission::{end_in_failure, end_in_queue, within_quotas};

/// The steps, on a pool of the role `berth_worker`.
#[derive(Debug)]
pub struct Allocations {
    pub pool: PgPool,
}

#[activities]
impl Allocations {
    #[activity(definition = Load)]
    pub async fn load(
        self: Arc<Self>,
        ctx: ActivityContext,
        id: AllocationId,
    ) -> Result<Option<AllocationView>, ActivityError> {
        name_run(&self.pool, &ctx, id.uuid()).await?;
        Ok(view(&self.pool, id).await?)
    }

    #[activity(definition = Admit)]
    pub async fn admit(
        self: Arc<Self>,
        _ctx: ActivityContext,
        step: StepInput,
    ) -> Result<Admission, ActivityError> {
        Ok(admission::admit(&self.pool, step).await?)
    }

    #[activity(definition = Activate)]
    pub async fn activate(
        self: Arc<Self>,
        _ctx: ActivityContext,
        step: StepInput,
    ) -> Result<(), ActivityError> {
        Ok(handover::activate(&self.pool, step).await?)
    }

    #[activity(definition = Degrade)]
    pub async fn degrade(
        self: Arc<Self>,
        _ctx: ActivityContext,
        step: StepInput,
    ) -> Result<(), ActivityError> {
        Ok(health::degrade(&self.pool, step).await?)
    }

    #[activity(definition = Recover)]
    pub async fn recover(
        self: Arc<Self>,
        _ctx: ActivityContext,
        step: StepInput,
    ) -> Result<(), ActivityError> {
        Ok(health::recover(&self.pool, step).await?)
    }

    #[activity(definition = Fail)]
    pub async fn fail(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: FailInput,
    ) -> Result<(), ActivityError> {
        Ok(admission::give_up(&self.pool, &input).await?)
    }

    #[activity(definition = RequestRelease)]
    pub async fn request_release(
        self: Arc<Self>,
        _ctx: ActivityContext,
        wish: ReleaseRequest,
    ) -> Result<(), ActivityError> {
        Ok(release::request(&self.pool, wish).await?)
    }

    #[activity(definition = BeginRelease)]
    pub async fn begin_release(
        self: Arc<Self>,
        ctx: ActivityContext,
        id: AllocationId,
    ) -> Result<Releasing, ActivityError> {
        let releasing = release::begin(&self.pool, id).await?;
        name_run(&self.pool, &ctx, id.uuid()).await?;
        Ok(releasing)
    }

    #[activity(definition = FinishRelease)]
    pub async fn finish_release(
        self: Arc<Self>,
        _ctx: ActivityContext,
        step: StepInput,
    ) -> Result<(), ActivityError> {
        Ok(release::finish(&self.pool, step).await?)
    }

    #[activity(definition = FailRelease)]
    pub async fn fail_release(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: FailInput,
    ) -> Result<(), ActivityError> {
        Ok(release::fail(&self.pool, &input).await?)
    }

    #[activity(definition = GiveUp)]
    pub async fn give_up(
        self: Arc<Self>,
        _ctx: ActivityContext,
        step: StepInput,
    ) -> Result<(), ActivityError> {
        Ok(release::give_up(&self.pool, step).await?)
    }

    #[activity(definition = NextOrder)]
    pub async fn next_order(
        self: Arc<Self>,
        _ctx: ActivityContext,
        id: AllocationId,
    ) -> Result<Option<PendingOrder>, ActivityError> {
        Ok(order::next(&self.pool, id).await?)
    }

    #[activity(definition = Extend)]
    pub async fn extend(
        self: Arc<Self>,
        _ctx: ActivityContext,
        operation: OperationId,
    ) -> Result<(), ActivityError> {
        Ok(lease::extend(&self.pool, operation).await?)
    }

    #[activity(definition = Warn)]
    pub async fn warn(
        self: Arc<Self>,
        _ctx: ActivityContext,
        id: AllocationId,
    ) -> Result<(), ActivityError> {
        Ok(lease::warn(&self.pool, id).await?)
    }

    #[activity(definition = RejectOrder)]
    pub async fn reject_order(
        self: Arc<Self>,
        _ctx: ActivityContext,
        operation: OperationId,
    ) -> Result<(), ActivityError> {
        Ok(order::reject(&self.pool, operation).await?)
    }
}

/// Names this run in the open operations of its allocation or node, so that people find it.
pub(crate) async fn name_run(
    pool: &PgPool,
    ctx: &ActivityContext,
    resource: uuid::Uuid,
) -> Result<(), Refusal> {
    if let Some(run_id) = &ctx.info().workflow_run_id {
        db::operation::set_run(&mut *pool.acquire().await?, resource, run_id).await?;
    }
    Ok(())
}

async fn view(pool: &PgPool, id: AllocationId) -> Result<Option<AllocationView>, Refusal> {
    let mut conn = pool.acquire().await?;
    let Some(view) = db::allocation::queue::view(&mut conn, id).await? else {
        return Ok(None);
    };
    let limits = limits(&mut conn, &view).await?;
    let in_use = matches!(
        view.state,
        AllocationState::Active | AllocationState::Degraded
    );
    let fault = if in_use {
        db::node_health::fault_of(&mut conn, id).await?
    } else {
        None
    };
    let warning_remaining_seconds = match view.lease {
        Some(lease) if in_use => {
            let distances = lease::distances(&mut conn, view.org_id, view.project_id).await?;
            let next = lease.next_warning(distances);
            next.map(|distance| lease.remaining_seconds - distance)
        }
        _ => None,
    };
    Ok(Some(AllocationView {
        org_id: view.org_id,
        project_id: view.project_id,
        sku: view.sku,
        state: view.state,
        attempt: count(view.attempts.into()),
        touched: view.touched,
        release_requested: view.release_requested,
        operation_id: view.operation_id,
        queue_remaining_seconds: view.queue_remaining_seconds,
        lease_remaining_seconds: view.lease.map(|lease| lease.remaining_seconds),
        warning_remaining_seconds,
        fault: fault.map(|fault| fault.code),
        limits,
    }))
}

async fn limits(conn: &mut PgConnection, view: &View) -> Result<Limits, Refusal> {
    let scope = Scope::Project(view.org_id, view.project_id);
    let mut value = async |policy: &'static Policy| -> Result<u32, Refusal> {
        Ok(count(db::policy::resolve(conn, policy, scope).await?))
    };
    Ok(Limits {
        node_attempts: value(&policy::NODE_ATTEMPTS).await?,
        probe_timeout_seconds: value(&policy::PROBE_TIMEOUT).await?,
        access_timeout_seconds: value(&policy::ACCESS_TIMEOUT).await?,
        step_retry_seconds: value(&policy::STEP_RETRY).await?,
        release_retry_seconds: value(&policy::RELEASE_RETRY).await?,
    })
}

/// A number that the schema keeps at zero or above.
pub(crate) fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

/// The row of a step, held; there is no step without one.
async fn hold(conn: &mut PgConnection, id: AllocationId) -> Result<Held, Refusal> {
    transition::hold(conn, id)
        .await?
        .ok_or_else(|| Refusal::conflict(id, "there is no such allocation"))
}

/// Writes an event of an allocation.
pub(crate) async fn publish(
    conn: &mut PgConnection,
    held: &Held,
    event: impl Into<Event>,
) -> Result<(), Refusal> {
    db::outbox::append(conn, Some(held.org_id), &event.into()).await?;
    Ok(())
}

/// Writes a step that begins and ends in this transaction.
pub(crate) async fn record_step(
    conn: &mut PgConnection,
    operation: Option<OperationId>,
    name: &str,
    state: StepState,
    detail: Option<&str>,
) -> Result<(), Refusal> {
    if let Some(operation) = operation {
        db::operation_step::start(conn, operation, name).await?;
        db::operation_step::finish(conn, operation, name, state, detail).await?;
    }
    Ok(())
}

/// Counts a change of state, once it is committed.
pub(crate) fn count_transition(from: AllocationState, to: AllocationState) {
    metrics::counter!("allocation_transitions_total", "from" => from.as_str(), "to" => to.as_str())
        .increment(1);
}
