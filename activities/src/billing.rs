//! Billing runs: what is billed, one step of accounts after the other, and the end.

mod post;

pub use self::post::post;

use std::sync::Arc;

use contract::billing::{
    Billed, Close, CloseInput, LateBehind, Open, OpenInput, Opened, Outcome, Post, PostInput,
    Posted,
};
use db::billing::run::{self, NewRun, Run};
use db::billing::shard;
use db::operation::NewOperation;
use db::{PgConnection, PgPool};
use domain::billing::Period;
use domain::id::{BillingRunId, OrgId};
use domain::operation::OperationKind;
use domain::policy::{self, Scope};
use domain::reason::Code;
use domain::state::{OperationState, StepState};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::allocation::{name_run, record_step};
use crate::audit;
use crate::machine::beat;
use crate::metering;
use crate::refusal::Refusal;

/// The steps, on a pool of the role `berth_worker`.
#[derive(Debug)]
pub struct Bills {
    pub pool: PgPool,
}

#[activities]
impl Bills {
    #[activity(definition = Open)]
    pub async fn open(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: OpenInput,
    ) -> Result<Option<Opened>, ActivityError> {
        let work = async {
            let opened = open(&self.pool, &input).await?;
            if let Some(opened) = &opened {
                name_run(&self.pool, &ctx, opened.run_id.uuid()).await?;
            }
            Ok(opened)
        };
        Ok(beat(&ctx, work).await?)
    }

    #[activity(definition = Post)]
    pub async fn post(
        self: Arc<Self>,
        ctx: ActivityContext,
        input: PostInput,
    ) -> Result<Posted, ActivityError> {
        Ok(beat(&ctx, async { Ok(post(&self.pool, input).await?) }).await?)
    }

    #[activity(definition = Close)]
    pub async fn close(
        self: Arc<Self>,
        _ctx: ActivityContext,
        input: CloseInput,
    ) -> Result<Billed, ActivityError> {
        Ok(close(&self.pool, input).await?)
    }
}

/// Makes a run ready: what was used until its end is recorded. `None`: no period is late.
pub async fn open(pool: &PgPool, input: &OpenInput) -> Result<Option<Opened>, Refusal> {
    let id = match input.run_id {
        Some(id) => Some(id),
        None => scheduled(pool, input).await?,
    };
    let Some(id) = id else { return Ok(None) };
    let mut tx = pool.begin().await?;
    let run = find(&mut tx, id).await?;
    metering::record(&mut tx, run.period.end).await?;
    tx.commit().await?;
    let mut tx = pool.begin().await?;
    if run::lock(&mut tx, id).await?.is_none() {
        let epoch = db::billing::usage::end_epoch(&mut tx).await?;
        run::set_epoch(&mut tx, id, epoch).await?;
        let what = format!("{} to {}", text(run.period.start), text(run.period.end));
        let (operation, state) = (run.operation_id, StepState::Succeeded);
        record_step(&mut tx, operation, "open", state, Some(&what)).await?;
        audit::billing_run(&mut tx, &run.workflow_id, run.id, run.org_id, "open").await?;
    }
    tx.commit().await?;
    Ok(Some(Opened {
        run_id: id,
        org_id: run.org_id,
        period_seconds: (
            run.period.start.unix_timestamp(),
            run.period.end.unix_timestamp(),
        ),
    }))
}

/// The run of a workflow that the schedule started: made with its operation, or found again. `None`:
/// no period is late.
async fn scheduled(pool: &PgPool, input: &OpenInput) -> Result<Option<BillingRunId>, Refusal> {
    let mut tx = pool.begin().await?;
    if let Some(id) = run::of_workflow(&mut tx, &input.workflow_id).await? {
        return Ok(Some(id));
    }
    let found = match input.late_behind {
        Some(behind) => late(&mut tx, behind).await?,
        None => Some((None, month(input)?)),
    };
    let Some((org_id, period)) = found else {
        return Ok(None);
    };
    let new = NewRun {
        id: db::id::fresh(),
        org_id,
        period,
        workflow_id: &input.workflow_id,
    };
    if !run::insert(&mut tx, new).await? {
        // Another try of this step was faster.
        return Ok(run::of_workflow(&mut tx, &input.workflow_id).await?);
    }
    let deadline = db::policy::resolve(&mut tx, &policy::BILLING_DEADLINE, Scope::Platform).await?;
    let operation = NewOperation {
        id: db::id::fresh(),
        org_id: None,
        kind: OperationKind::BillingRunCreate,
        resource_id: new.id.uuid(),
        workflow_id: &input.workflow_id,
        requested_by: None,
        params: serde_json::json!({}),
        deadline_seconds: deadline,
    };
    db::operation::insert(&mut tx, &operation).await?;
    tx.commit().await?;
    Ok(Some(new.id))
}

/// The next late period, and whose. A month is billed anew for everybody at once; any other period is
/// one organization's own.
async fn late(
    conn: &mut PgConnection,
    behind: LateBehind,
) -> Result<Option<(Option<OrgId>, Period)>, Refusal> {
    let start = OffsetDateTime::from_unix_timestamp(behind.start_seconds);
    let start = start.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let found = shard::late(conn, start, behind.org_id).await?;
    Ok(found.map(|(org, period)| ((!period.is_month()).then_some(org), period)))
}

fn month(input: &OpenInput) -> Result<Period, Refusal> {
    let refuse = |why: &dyn std::fmt::Display| Refusal::conflict(&input.workflow_id, why);
    let seconds = input.scheduled_seconds;
    let seconds = seconds.ok_or_else(|| refuse(&"neither a run nor a schedule's time"))?;
    let at = OffsetDateTime::from_unix_timestamp(seconds).map_err(|why| refuse(&why))?;
    Ok(Period::month_before(at))
}

/// Ends a run, and says what it came to.
pub async fn close(pool: &PgPool, input: CloseInput) -> Result<Billed, Refusal> {
    let mut tx = pool.begin().await?;
    run::lock(&mut tx, input.run_id).await?;
    let run = find(&mut tx, input.run_id).await?;
    let totals = run::totals(&mut tx, run.id).await?;
    if run.ended_at.is_none() {
        let (state, code) = match input.outcome {
            Outcome::Succeeded => (OperationState::Succeeded, None),
            Outcome::CalledOff => (OperationState::Cancelled, None),
            Outcome::Failed => (OperationState::Failed, Some(Code::step_exhausted())),
        };
        if let Some(operation) = run.operation_id {
            if input.outcome == Outcome::Succeeded {
                let (what, state) = (post::so_far(&run, &totals), StepState::Succeeded);
                db::operation_step::finish(&mut tx, operation, "post", state, Some(&what)).await?;
                record_step(&mut tx, Some(operation), "close", state, None).await?;
            }
            db::order::finish(&mut tx, operation, state, code.as_ref()).await?;
        }
        run::end(&mut tx, run.id).await?;
        audit::billing_run(&mut tx, &run.workflow_id, run.id, run.org_id, "close").await?;
    }
    tx.commit().await?;
    Ok(Billed {
        run_id: run.id,
        period: (text(run.period.start), text(run.period.end)),
        outcome: input.outcome,
        invoices: run.invoices_issued,
        credit_notes: run.credit_notes_issued,
        accounts_parked: run.accounts_parked,
        totals,
    })
}

async fn find(conn: &mut PgConnection, id: BillingRunId) -> Result<Run, Refusal> {
    let run = run::get(conn, id).await?;
    run.ok_or_else(|| Refusal::conflict(id, "no such billing run"))
}

fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}
