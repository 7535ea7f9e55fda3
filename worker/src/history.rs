//! Recorded histories: fetched from a server, replayed on today's code.

use temporalio_client::{Client, UntypedWorkflow, WorkflowFetchHistoryOptions, WorkflowHistory};
use temporalio_common::data_converters::DataConverter;
use temporalio_common::protos::temporal::api::enums::v1::EventType;
use temporalio_common::protos::temporal::api::history::v1::HistoryEvent;
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use workflows::{
    Allocation, AuditSealing, BalanceGuard, BillingRun, KeyRotation, MeteringWindow,
    NodeEnrollment, NodeHealthSweep, PartitionMaintenance, Reconciliation, Retention, Sweep,
};

/// The history of a workflow's run (`None`: the latest), in the SDK's own JSON, which is the only
/// form that [`replayer`] reads.
pub async fn fetch(
    client: &Client,
    workflow_id: &str,
    run_id: Option<&str>,
) -> anyhow::Result<String> {
    let history = of_run(client, workflow_id, run_id);
    Ok(String::from_utf8(history.to_json().await?)?)
}

/// The same, fetched as it is read.
pub(crate) fn of_run(client: &Client, workflow_id: &str, run_id: Option<&str>) -> WorkflowHistory {
    let latest = client.get_workflow_handle::<UntypedWorkflow>(workflow_id);
    let mut run = latest.info().clone();
    run.run_id = run_id.map(ToOwned::to_owned);
    run.bind_untyped(client.clone())
        .fetch_history(WorkflowFetchHistoryOptions::default())
}

/// What code has decided in a run so far: all up to its last commands. Of what came after them
/// there is nothing to compare yet, and Core 0.10 calls the commands that a replay gives to it a
/// bug of its own. `None`: it decided nothing.
#[must_use]
pub fn decided(mut events: Vec<HistoryEvent>) -> Option<Vec<HistoryEvent>> {
    let answered = |event: &HistoryEvent| event.event_type() == EventType::WorkflowTaskCompleted;
    let last = events.iter().rposition(answered)?;
    let of_it = &events[last + 1..];
    let commands = of_it.iter().take_while(|event| event.is_command_event());
    let end = last + 1 + commands.count();
    events.truncate(end);
    Some(events)
}

/// Replays histories of every workflow there is, with the converter that wrote them.
pub fn replayer(converter: DataConverter) -> anyhow::Result<WorkflowReplayer> {
    let options = WorkflowReplayerOptions::new()
        .data_converter(converter)
        .task_queue(contract::queue::PROVISIONING.to_owned())
        .build();
    let mut options = options;
    options
        .register_workflow::<Allocation>()?
        .register_workflow::<NodeEnrollment>()?
        .register_workflow::<NodeHealthSweep>()?
        .register_workflow::<MeteringWindow>()?
        .register_workflow::<BillingRun>()?
        .register_workflow::<BalanceGuard>()?
        .register_workflow::<Reconciliation>()?
        .register_workflow::<PartitionMaintenance>()?
        .register_workflow::<AuditSealing>()?
        .register_workflow::<Retention>()?
        .register_workflow::<KeyRotation>()?
        .register_workflow::<Sweep>()?;
    Ok(WorkflowReplayer::new(options)?)
}
