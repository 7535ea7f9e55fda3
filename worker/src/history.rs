//! Recorded histories: fetched from a server, replayed on today's code.

use temporalio_client::{Client, UntypedWorkflow, WorkflowFetchHistoryOptions};
use temporalio_sdk::workflow_replayer::{WorkflowReplayer, WorkflowReplayerOptions};
use workflows::{Allocation, NodeEnrollment};

/// The history of a workflow's latest run, in the SDK's own JSON, which is the only form that
/// [`replayer`] reads.
pub async fn fetch(client: &Client, workflow_id: &str) -> anyhow::Result<String> {
    let history = client
        .get_workflow_handle::<UntypedWorkflow>(workflow_id)
        .fetch_history(WorkflowFetchHistoryOptions::default());
    Ok(String::from_utf8(history.to_json().await?)?)
}

/// Replays histories of every workflow there is, with the converter that wrote them.
pub fn replayer() -> anyhow::Result<WorkflowReplayer> {
    let options = WorkflowReplayerOptions::new()
        .data_converter(platform::temporal::data_converter())
        .task_queue(contract::queue::PROVISIONING.to_owned())
        .build();
    let mut options = options;
    options
        .register_workflow::<Allocation>()?
        .register_workflow::<NodeEnrollment>()?;
    Ok(WorkflowReplayer::new(options)?)
}
