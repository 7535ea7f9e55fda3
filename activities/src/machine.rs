//! Work on machines: everything that dials one goes through here.

use std::sync::Arc;
use std::time::Duration;

use db::machine::{LeasedMachine, Machine};
use db::{PgConnection, PgPool};
use domain::id::{AllocationId, OperationId};
use domain::ssh_public_key::WeakKeys;
use platform::dial::Dialer;
use platform::signing::Signer;
use platform::ssh::{Authority, Session};
use temporalio_sdk::activities::{ActivityContext, ActivityError};

mod fault;
mod report;
mod script;

pub(crate) use fault::Fault;
pub(crate) use report::Report;
pub(crate) use script::Script;

use crate::refusal::Refusal;
use crate::step::Step;

/// A worker that is silent for longer than the heartbeat's time-out counts as dead.
const BEAT: Duration = Duration::from_secs(2);
/// What is left of a try for rows in the database once the machine has had its share.
const MARGIN: Duration = Duration::from_secs(5);
/// The share of a try that has no deadline.
const LIMIT: Duration = Duration::from_mins(1);

/// What steps on machines need of the world; the pool is of the role `berth_worker`.
#[derive(Debug)]
pub struct Machines {
    pub pool: PgPool,
    pub dialer: Dialer,
    pub authority: Authority,
    /// SSH keys that come onto no machine.
    pub weak_keys: WeakKeys,
    /// Signs receipts.
    pub signer: Signer,
}

impl Machines {
    /// Runs a script to its end and reads its report.
    pub(crate) async fn run(
        &self,
        machine: &Machine,
        script: Script,
        limit: Duration,
    ) -> Result<Report, Fault> {
        let credentials = self
            .authority
            .agent_credentials(machine.now)
            .map_err(Fault::own)?;
        let port = u16::try_from(machine.port).map_err(Fault::own)?;
        let stream = self.dialer.connect(&machine.host, port).await?;
        let session = Session::open(stream, &machine.host_key, &credentials).await?;
        let output = session.run(&script.into_text(), limit).await;
        session.close().await;
        Report::read(&output?)
    }
}

/// The machine of a try, or a conflict: it was given back, or there never was one.
pub(crate) async fn leased(
    conn: &mut PgConnection,
    allocation: AllocationId,
    attempt: u32,
) -> Result<LeasedMachine, Fault> {
    db::machine::leased(conn, allocation, number(attempt))
        .await?
        .ok_or_else(|| Refusal::conflict(allocation, "this try has no machine").into())
}

/// Attempts are few; the column is signed.
pub(crate) fn number(attempt: u32) -> i32 {
    i32::try_from(attempt).unwrap_or(i32::MAX)
}

/// How long the machine may take in this try.
pub(crate) fn limit(ctx: &ActivityContext) -> Duration {
    let info = ctx.info();
    let whole = info.deadline.zip(info.started_time);
    whole
        .and_then(|(deadline, started)| deadline.duration_since(started).ok())
        .map_or(LIMIT, |whole| whole.saturating_sub(MARGIN).max(MARGIN))
}

/// Does the work of one step: beats meanwhile, stops when it is called off, and writes the step's
/// row when it fails. The work writes it when it succeeds, along with what it did.
pub(crate) async fn attend<T, W>(
    machines: &Arc<Machines>,
    ctx: &ActivityContext,
    operation: Option<OperationId>,
    name: &'static str,
    work: impl FnOnce(Arc<Machines>, Arc<Step>) -> W,
) -> Result<T, ActivityError>
where
    W: Future<Output = Result<T, Fault>>,
{
    let step = Step::start(&machines.pool, operation, name).await;
    let step = Arc::new(step.map_err(Refusal::from)?);
    let done = beat(ctx, work(machines.clone(), step.clone())).await;
    if let Err(fault) = &done {
        tracing::warn!(step = name, ?fault, "step on a machine");
        if let Some(text) = fault.text() {
            let written = step.fail(&machines.pool, &text).await;
            written.map_err(Refusal::from)?;
        }
    }
    Ok(done?)
}

/// Beats until the work is done or called off.
pub(crate) async fn beat<T>(
    ctx: &ActivityContext,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = ctx.cancelled() => return Err(Fault::CalledOff),
            () = tokio::time::sleep(BEAT) => ctx.record_heartbeat(()).await.map_err(Fault::own)?,
        }
    }
}
