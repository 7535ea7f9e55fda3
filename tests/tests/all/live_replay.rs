//! `berth workflow replay`: a program is tried on what runs before it is deployed.

use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use temporalio_client::{Client, WorkflowGetResultOptions, WorkflowStartOptions};
use temporalio_macros::{workflow, workflow_methods};
use temporalio_sdk::runtime::RuntimeOptions;
use temporalio_sdk::{Runtime, Worker, WorkerOptions};
use temporalio_workflow::{WorkflowContext, WorkflowResult};
use tests::{Stack, Tenant, eventually, stack};

const LIMIT: Duration = Duration::from_mins(2);
const ELSEWHERE: &str = "a-queue-of-another-program";
/// Nobody else is to take its run for one of ours.
pub(crate) const STRANGER: &str = "another-program";

/// Called `Sweep`, and does something else: as an old program's workflow would look to a new one
/// that was changed without `patched()`.
#[workflow]
#[derive(Default)]
struct OtherSweep;

#[workflow_methods]
impl OtherSweep {
    #[run(name = "Sweep")]
    async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<()> {
        ctx.timer(Duration::from_millis(1)).await;
        Ok(())
    }
}

async fn replay(stack: &Stack) -> Output {
    let all = ["--since", "1h", "--limit", "100000", "-o", "json"];
    stack
        .berth(&[&["workflow", "replay"], &all[..]].concat())
        .await
}

fn runs(output: &Output) -> Vec<Value> {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_tried_on_what_runs() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let made = tenant.create_allocation(stack, 1).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let id = made["resource"]["id"].as_str().expect("an id");

    let before = replay(stack).await;
    let seen = runs(&before);
    assert!(
        before.status.success(),
        "everything here replays: {before:?}"
    );
    let of = |workflow: &str| seen.iter().find(|run| run["workflow_id"] == workflow);
    let allocation = of(&format!("allocation/{id}")).expect("what runs is tried");
    assert_eq!(allocation["is_running"], true, "{allocation}");
    assert_eq!(allocation["failure"], Value::Null);

    let client = stack.temporal().await;
    let run = other_program(&client).await;
    // The list of runs comes a little behind them.
    let (after, broken) = eventually("it is listed as over", LIMIT, || async {
        let after = replay(stack).await;
        let mut seen = runs(&after).into_iter();
        let broken = seen.find(|one| one["run_id"] == *run && one["is_running"] == false);
        broken.map(|broken| (after, broken))
    })
    .await;
    assert_eq!(after.status.code(), Some(1), "{after:?}");
    let why = broken["failure"].as_str().expect("a reason");
    assert!(why.contains("nondeterministic"), "{why}");
    assert!(
        String::from_utf8_lossy(&after.stderr).contains("do not replay"),
        "{after:?}"
    );
    // Who did not look at all of them does not say that all is well.
    let few = ["workflow", "replay", "--since", "1h", "--limit", "1"];
    let few = stack.berth(&few).await;
    assert_eq!(few.status.code(), Some(1), "{few:?}");
    assert!(
        String::from_utf8_lossy(&few.stderr).contains("--limit"),
        "{few:?}"
    );

    let path = format!("/api/v1/allocations/{id}");
    tenant.api.delete(&path).await.expect(202);
    tenant.api.allocation_in(id, &["released"], LIMIT).await;
}

/// Runs the other workflow to its end; its run.
async fn other_program(client: &Client) -> String {
    let mut options = WorkerOptions::new(ELSEWHERE).build();
    options
        .register_workflow::<OtherSweep>()
        .expect("a workflow");
    let runtime = Runtime::from_current_tokio(RuntimeOptions::default()).expect("a runtime");
    let mut worker = Worker::new(&runtime, client.clone(), options).expect("a worker");
    let stop = worker.shutdown_handle();
    let story = async {
        let options = WorkflowStartOptions::new(ELSEWHERE, STRANGER).build();
        let run = client
            .start_workflow(OtherSweep::run, (), options)
            .await
            .expect("a start");
        run.get_result(WorkflowGetResultOptions::default())
            .await
            .expect("its end");
        stop();
        run.run_id().expect("its id").to_owned()
    };
    let (ended, id) = tokio::join!(worker.run(), story);
    ended.expect("the worker ends");
    id
}
