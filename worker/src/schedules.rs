//! Temporal schedules of Berth's own. They are made where they are missing and left alone where they
//! are, so that what an operator changed in the UI stays. Looked for again and again: with Temporal's
//! database its schedules are lost, too.

use std::time::Duration;

use contract::{queue, workflow_id};
use temporalio_client::Client;
use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleIntervalSpec,
    ScheduleOverlapPolicy, ScheduleSpec,
};
use temporalio_client::tonic::Code;
use tokio_util::sync::CancellationToken;
use workflows::{NodeHealthSweep, Sweep};

/// How often lost workflows are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often every machine is looked at.
const HEALTH_EVERY: Duration = Duration::from_mins(1);
/// How often the schedules themselves are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Keeps them there until `shutdown`.
pub(crate) async fn keep(client: &Client, shutdown: &CancellationToken) {
    loop {
        if let Err(error) = create(client).await {
            tracing::warn!(%error, "no schedule could be made");
        }
        let pause = tokio::time::sleep(LOOK_EVERY);
        if shutdown.run_until_cancelled(pause).await.is_none() {
            return;
        }
    }
}

async fn create(client: &Client) -> Result<(), ScheduleError> {
    let (sweep, health) = (
        workflow_id::SWEEP_SCHEDULE,
        workflow_id::NODE_HEALTH_SCHEDULE,
    );
    let queue = queue::MAINTENANCE;
    let start = ScheduleAction::start_workflow(Sweep::run, (), queue, sweep);
    make(client, sweep, start, SWEEP_EVERY).await?;
    let start = ScheduleAction::start_workflow(NodeHealthSweep::run, (), queue, health);
    make(client, health, start, HEALTH_EVERY).await
}

/// A run that is not over when the next one is due lets that one fall out.
async fn make(
    client: &Client,
    name: &str,
    action: ScheduleAction,
    every: Duration,
) -> Result<(), ScheduleError> {
    let spec = ScheduleSpec::builder()
        .intervals(vec![ScheduleIntervalSpec::new(every, None)])
        .build();
    let options = CreateScheduleOptions::builder()
        .action(action)
        .spec(spec)
        .overlap_policy(ScheduleOverlapPolicy::Skip)
        .trigger_immediately(true)
        .build();
    match client.create_schedule(name, options).await {
        Ok(_) => Ok(()),
        Err(ScheduleError::Rpc(status)) if status.code() == Code::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
