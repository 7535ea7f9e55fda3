//! Invariant 13: what lost its workflow gets it back, from its row.

use std::time::Duration;

use serde_json::Value;
use temporalio_client::schedules::{ScheduleOverlapPolicy, TriggerScheduleOptions};
use temporalio_client::{
    UntypedWorkflow, WorkflowDescribeOptions, WorkflowExecutionStatus, WorkflowListOptions,
};
use tests::{Stack, Tenant, eventually, stack};

use crate::delivery::plant_intent;
use crate::idle;
use crate::live_replay::STRANGER;

const LIMIT: Duration = Duration::from_mins(3);

/// The run of a workflow, if one runs.
pub(crate) async fn run_of(stack: &Stack, workflow_id: &str) -> Option<String> {
    let client = stack.temporal().await;
    let handle = client.get_workflow_handle::<UntypedWorkflow>(workflow_id);
    let found = handle
        .describe(WorkflowDescribeOptions::default())
        .await
        .ok()?;
    (found.status() == WorkflowExecutionStatus::Running).then(|| found.run_id().to_owned())
}

async fn running(stack: &Stack, workflow_id: &str) -> String {
    eventually("the workflow runs", LIMIT, || run_of(stack, workflow_id)).await
}

/// Runs a schedule's workflow now, unless one is at work.
pub(crate) async fn trigger(stack: &Stack, schedule: &str) {
    let client = stack.temporal().await;
    let schedule = client.get_schedule_handle(schedule);
    let policy = ScheduleOverlapPolicy::Skip;
    drop(
        schedule
            .trigger(policy, TriggerScheduleOptions::default())
            .await,
    );
}

async fn restarts(stack: &Stack, workflow_id: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from audit_logs
         where action = 'workflow.restart' and actor_id = 'sweep' and resource_id = $1",
    )
    .bind(workflow_id)
    .fetch_one(&stack.database().await)
    .await
    .expect("the log")
}

/// Asks for GPUs that do not exist.
pub(crate) async fn ask(stack: &Stack, tenant: &Tenant) -> Value {
    let body = idle::waiting(stack, tenant).await;
    let made = tenant.api.post("/api/v1/allocations", &body).await;
    made.expect(202)
}

/// An allocation that waits for them; its id, and its workflow's.
async fn waiting(stack: &Stack, tenant: &Tenant) -> (String, String) {
    let made = ask(stack, tenant).await;
    let id = made["resource"]["id"].as_str().expect("an id").to_owned();
    tenant.api.allocation_in(&id, &["queued"], LIMIT).await;
    let workflow_id = format!("allocation/{id}");
    (id, workflow_id)
}

async fn released(tenant: &Tenant, id: &str) -> Value {
    let path = format!("/api/v1/allocations/{id}");
    tenant.api.delete(&path).await.expect(202);
    tenant
        .api
        .allocation_in(id, &["released", "failed"], LIMIT)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminated_workflow_is_started_anew_from_its_row() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, workflow_id) = waiting(stack, &tenant).await;
    let (healthy_id, healthy) = waiting(stack, &tenant).await;
    let before = running(stack, &workflow_id).await;
    let undisturbed = running(stack, &healthy).await;
    stack.terminate_workflow(&workflow_id).await;
    let after = eventually("another run", LIMIT, || async {
        trigger(stack, "sweep").await;
        run_of(stack, &workflow_id).await
    })
    .await;
    assert_ne!(before, after);
    assert_eq!(restarts(stack, &workflow_id).await, 1);
    assert_eq!(run_of(stack, &healthy).await, Some(undisturbed));
    assert_eq!(restarts(stack, &healthy).await, 0);
    let metrics = stack.worker_metrics().await;
    let counted = "workflows_restarted_total{workflow_type=\"Allocation\"}";
    assert!(metrics.contains(counted), "{metrics}");
    for id in [id, healthy_id] {
        released(&tenant, &id).await;
    }
    record_one(stack, "Sweep", "sweep").await;
}

/// Each run of a schedule leaves a history that replays.
pub(crate) async fn record_one(stack: &Stack, workflow_type: &str, name: &str) {
    let ended = format!(
        "WorkflowType = '{workflow_type}' and ExecutionStatus = 'Completed' and WorkflowId != '{STRANGER}'"
    );
    let one = eventually(&format!("a {workflow_type} ended"), LIMIT, || async {
        let client = stack.temporal().await;
        let mut all = client.list_workflows(&ended, WorkflowListOptions::default());
        futures::StreamExt::next(&mut all).await?.ok()
    })
    .await;
    stack.record(name, one.id()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_does_not_keep_a_row_from_its_workflow() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, workflow_id) = waiting(stack, &tenant).await;
    let before = running(stack, &workflow_id).await;
    let wake = ("wake", "Allocation");
    let letter = plant_intent(stack, wake, &workflow_id, None, 0).await;
    // Whether the relay delivered it or not: it is as one that nobody could deliver.
    sqlx::query(
        "update workflow_intents set dead_at = clock_timestamp(), delivered_at = null where id = $1",
    )
    .bind(letter)
    .execute(&stack.database().await)
    .await
    .expect("a letter");
    stack.terminate_workflow(&workflow_id).await;
    let after = eventually("another run", LIMIT, || async {
        trigger(stack, "sweep").await;
        run_of(stack, &workflow_id).await
    })
    .await;
    assert_ne!(before, after);
    released(&tenant, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wake_that_nobody_waits_for_runs_a_workflow_that_had_come_to_its_end() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = idle::hasty(stack, &tenant).await;
    let made = tenant.api.post("/api/v1/allocations", &body).await;
    tenant.api.finished(&made.expect(202), LIMIT).await;
    let id = made.json()["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let workflow_id = format!("allocation/{id}");
    let client = stack.temporal().await;
    let ended = async || {
        let handle = client.get_workflow_handle::<UntypedWorkflow>(workflow_id.as_str());
        let found = handle
            .describe(WorkflowDescribeOptions::default())
            .await
            .ok()?;
        let ended = found.status() == WorkflowExecutionStatus::Completed;
        ended.then(|| found.run_id().to_owned())
    };
    let first = eventually("the run's end", LIMIT, &ended).await;
    // As after a database was restored to a state from before that end.
    plant_intent(stack, ("wake", "Allocation"), &workflow_id, None, 0).await;
    eventually("another run's end", LIMIT, || async {
        ended().await.filter(|run| *run != first)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_deletes_a_terminated_allocation_need_not_wait_for_a_sweep() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, workflow_id) = waiting(stack, &tenant).await;
    running(stack, &workflow_id).await;
    stack.terminate_workflow(&workflow_id).await;
    let ended = released(&tenant, &id).await;
    assert!(
        ended["ended_at"].is_string() || ended["state"] == "released",
        "{ended}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_temporal_database_loses_no_allocation() {
    let stack = Stack::own(1).await;
    let tenant = Tenant::new(&stack).await;
    let made = tenant.create_allocation(&stack, 1).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let active = made["resource"]["id"].as_str().expect("an id").to_owned();
    let (queued, _) = waiting(&stack, &tenant).await;
    stack.control("stop", "temporal").await;
    for entry in std::fs::read_dir(stack.dir().join("data/temporal")).expect("its data") {
        std::fs::remove_file(entry.expect("a file").path()).expect("it is ours");
    }
    stack.control("start", "temporal").await;
    for id in [&active, &queued] {
        running(&stack, &format!("allocation/{id}")).await;
    }
    let allocation = tenant.allocation(&active).await;
    assert_eq!(allocation["state"], "active", "{allocation}");
    for id in [&active, &queued] {
        released(&tenant, id).await;
        stack.assert_clean(id).await;
    }
}
