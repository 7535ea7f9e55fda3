//! Temporal schedules of Berth's own. They are made where they are missing and left alone where they
//! are, so that what an operator changed in the UI stays. Looked for again and again: with Temporal's
//! database its schedules are lost, too.

use std::time::Duration;

use contract::billing::BillingInput;
use contract::partition::MaintenanceInput;
use contract::rotation::RotationInput;
use contract::{queue, workflow_id};
use domain::signing_key::Purpose;
use temporalio_client::Client;
use temporalio_client::schedules::{
    CreateScheduleOptions, ScheduleAction, ScheduleError, ScheduleIntervalSpec,
    ScheduleOverlapPolicy, ScheduleSpec,
};
use temporalio_client::tonic::Code;
use tokio_util::sync::CancellationToken;
use workflows::{
    AuditSealing, BillingRun, KeyRotation, MeteringWindow, NodeHealthSweep, PartitionMaintenance,
    Reconciliation, Retention, Sweep,
};

/// How often lost workflows are looked for.
const SWEEP_EVERY: Duration = Duration::from_mins(1);
/// How often every machine is looked at.
const HEALTH_EVERY: Duration = Duration::from_mins(1);
/// How often it is looked whether a window of use is over.
const METERING_EVERY: Duration = Duration::from_mins(1);
/// How often use, lines, ledger and machines are compared.
const RECONCILE_EVERY: Duration = Duration::from_hours(24);
/// How often the tables that only grow are looked after.
const PARTITIONS_EVERY: Duration = Duration::from_hours(24);
/// When: not at midnight, where partitions end and others do their work.
const PARTITIONS_AT: Duration = Duration::from_mins(197);
/// How often new entries of the audit log are sealed.
const SEAL_EVERY: Duration = Duration::from_mins(1);
/// How often what has served its time is forgotten.
const RETENTION_EVERY: Duration = Duration::from_hours(1);
/// How often it is looked whether a key is old enough to be replaced.
const ROTATION_EVERY: Duration = Duration::from_hours(1);
/// When the month before is billed: an hour after it was over, UTC.
const BILLING_CRON: &str = "0 1 1 * *";
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
    let (maintenance, billing) = (queue::MAINTENANCE, queue::BILLING);
    let name = workflow_id::SWEEP_SCHEDULE;
    let start = ScheduleAction::start_workflow(Sweep::run, (), maintenance, name);
    make(client, name, start, Times::every(SWEEP_EVERY)).await?;
    let name = workflow_id::NODE_HEALTH_SCHEDULE;
    let start = ScheduleAction::start_workflow(NodeHealthSweep::run, (), maintenance, name);
    make(client, name, start, Times::every(HEALTH_EVERY)).await?;
    let name = workflow_id::AUDIT_SCHEDULE;
    let start = ScheduleAction::start_workflow(AuditSealing::run, (), maintenance, name);
    make(client, name, start, Times::every(SEAL_EVERY)).await?;
    let name = workflow_id::RETENTION_SCHEDULE;
    let start = ScheduleAction::start_workflow(Retention::run, (), maintenance, name);
    make(client, name, start, Times::every(RETENTION_EVERY)).await?;
    let name = workflow_id::METERING_SCHEDULE;
    let start = ScheduleAction::start_workflow(MeteringWindow::run, (), billing, name);
    make(client, name, start, Times::every(METERING_EVERY)).await?;
    let name = workflow_id::RECONCILIATION_SCHEDULE;
    let start = ScheduleAction::start_workflow(Reconciliation::run, (), billing, name);
    make(client, name, start, Times::every(RECONCILE_EVERY)).await?;
    let name = workflow_id::PARTITION_SCHEDULE;
    let input = MaintenanceInput {
        maintenance_id: None,
    };
    let start = ScheduleAction::start_workflow(PartitionMaintenance::run, input, maintenance, name);
    let mut times = Times::every(PARTITIONS_EVERY);
    let interval = ScheduleIntervalSpec::new(PARTITIONS_EVERY, Some(PARTITIONS_AT));
    times.spec = ScheduleSpec::builder().intervals(vec![interval]).build();
    make(client, name, start, times).await?;
    let (name, id) = (
        workflow_id::BILLING_SCHEDULE,
        workflow_id::BILLING_SCHEDULED,
    );
    let input = BillingInput { run_id: None };
    let start = ScheduleAction::start_workflow(BillingRun::run, input, billing, id);
    make(client, name, start, Times::monthly()).await?;
    for purpose in Purpose::ALL.iter().copied() {
        let name = workflow_id::rotation_schedule(purpose);
        let input = RotationInput {
            purpose,
            rotation_id: None,
        };
        let id = workflow_id::rotation_scheduled(purpose);
        let security = queue::SECURITY;
        let start = ScheduleAction::start_workflow(KeyRotation::run, input, security, id);
        let mut times = Times::every(ROTATION_EVERY);
        // One that waits for its old key to serve does not keep the next one from beginning.
        times.overlap = ScheduleOverlapPolicy::AllowAll;
        make(client, &name, start, times).await?;
    }
    Ok(())
}

/// When a schedule acts.
struct Times {
    spec: ScheduleSpec,
    overlap: ScheduleOverlapPolicy,
    /// As soon as it is made.
    at_once: bool,
}

impl Times {
    /// A run that is not over when the next one is due lets that one fall out.
    fn every(pause: Duration) -> Self {
        let interval = ScheduleIntervalSpec::new(pause, None);
        Self {
            spec: ScheduleSpec::builder().intervals(vec![interval]).build(),
            overlap: ScheduleOverlapPolicy::Skip,
            at_once: true,
        }
    }

    /// The runs of months that are made up for follow each other.
    fn monthly() -> Self {
        let spec = ScheduleSpec::builder()
            .cron_strings(vec![BILLING_CRON.to_owned()])
            .timezone_name("Etc/UTC");
        Self {
            spec: spec.build(),
            overlap: ScheduleOverlapPolicy::BufferAll,
            at_once: false,
        }
    }
}

async fn make(
    client: &Client,
    name: &str,
    action: ScheduleAction,
    times: Times,
) -> Result<(), ScheduleError> {
    let options = CreateScheduleOptions::builder()
        .action(action)
        .spec(times.spec)
        .overlap_policy(times.overlap)
        .trigger_immediately(times.at_once)
        .build();
    match client.create_schedule(name, options).await {
        Ok(_) => Ok(()),
        Err(ScheduleError::Rpc(status)) if status.code() == Code::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}
