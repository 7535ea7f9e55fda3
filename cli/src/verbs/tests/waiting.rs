//! Watching an operation: what is said, what is shown, how it ends.

use serde_json::{Value, json};

use super::server::{Reply, Server};
use super::{ALLOCATION, OPERATION, PROJECT, SSH_KEY, berth};
use crate::verbs::Exit;

fn operation(state: &str, steps: &Value) -> Value {
    json!({
        "id": OPERATION, "kind": "allocation.create", "state": state, "stuck": false,
        "resource": {
            "kind": "allocation", "id": ALLOCATION,
            "url": format!("/api/v1/allocations/{ALLOCATION}"),
        },
        "steps": steps, "deadline_at": "2026-01-01T01:00:00Z", "error": null,
        "workflow": { "id": format!("allocation/{ALLOCATION}"), "run_id": null, "url": "http://ui/w" },
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
    })
}

fn step(
    name: &str,
    state: &str,
    attempt: u32,
    seconds: Option<f64>,
    detail: Option<&str>,
) -> Value {
    let started = (attempt > 0).then_some("2026-01-01T00:00:00Z");
    let ended = seconds.map(|seconds| format!("2026-01-01T00:00:{seconds:06.3}Z"));
    json!({
        "name": name, "state": state, "attempt": attempt, "started_at": started,
        "ended_at": ended, "detail": detail,
    })
}

/// Oddly spaced, as only the server would write it.
fn allocation() -> String {
    format!(
        r#"{{"id":  "{ALLOCATION}","state":"active","name":"training","project_id":"{PROJECT}",
  "sku":"h100-80gb","gpu_count":1,"nodes":[],"created_at":"2026-01-01T00:00:00Z", "new": [1]}}"#
    )
}

const CREATE: &[&str] = &[
    "alloc",
    "create",
    "--name",
    "training",
    "--gpus",
    "1",
    "--sku",
    "h100-80gb",
    "--project",
    PROJECT,
    "--ssh-key",
    SSH_KEY,
    "--wait",
];

#[tokio::test]
async fn a_pipe_hears_each_change_once_and_gets_the_servers_own_json() {
    let pending = json!([
        step("admit", "pending", 0, None, None),
        step("reserve", "pending", 0, None, None),
    ]);
    let refused = json!([
        step("admit", "succeeded", 1, Some(0.04), None),
        step(
            "reserve",
            "failed",
            1,
            Some(0.25),
            Some("node-1 refused the login")
        ),
    ]);
    let again = json!([
        step("admit", "succeeded", 1, Some(0.04), None),
        step("reserve", "running", 2, None, None),
    ]);
    let done = json!([
        step("admit", "succeeded", 1, Some(0.04), None),
        step("reserve", "succeeded", 2, Some(1.5), Some("node-2, 1 GPU")),
    ]);
    let server = Server::start([
        Reply::json(202, &operation("pending", &pending)),
        Reply::json(200, &operation("pending", &pending)),
        Reply::json(200, &operation("running", &refused)),
        Reply::json(200, &operation("running", &again)),
        Reply::json(200, &operation("running", &again)),
        Reply::json(200, &operation("succeeded", &done)),
        Reply::text(200, &allocation()),
    ])
    .await;
    let outcome = berth(&server, &[CREATE, &["-o", "json"]].concat()).await;
    assert_eq!(outcome.exit, Exit::Ok, "{outcome:?}");
    assert_eq!(outcome.data, allocation() + "\n");
    insta::assert_snapshot!(outcome.talk, @r"
    op_00000000000000000000000000000002: allocation.create of alloc_00000000000000000000000000000001
    workflow: http://ui/w
    admit: succeeded in 0.04 s
    reserve: failed in 0.25 s: node-1 refused the login
    reserve: running, attempt 2
    reserve: succeeded, attempt 2 in 1.50 s: node-2, 1 GPU
    op_00000000000000000000000000000002: succeeded
    ");
    let lines = server.lines();
    assert_eq!(lines[1], format!("GET /api/v1/operations/{OPERATION}"));
    assert_eq!(lines[6], format!("GET /api/v1/allocations/{ALLOCATION}"));
}

#[tokio::test]
async fn a_failed_operation_says_why_and_ends_with_1() {
    let steps = json!([step("admit", "failed", 1, Some(0.1), Some("no free GPU"))]);
    let mut failed = operation("failed", &steps);
    failed["error"] = json!({
        "type": "urn:berth:problem:no_capacity", "title": "No capacity", "status": 409,
        "detail": "no node has 1 free GPU", "code": "no_capacity",
    });
    let server = Server::start([Reply::json(200, &failed)]).await;
    let outcome = berth(&server, &["op", "wait", OPERATION]).await;
    assert_eq!(outcome.exit, Exit::Failed);
    insta::assert_snapshot!(outcome.talk, @r"
    op_00000000000000000000000000000002: allocation.create of alloc_00000000000000000000000000000001
    workflow: http://ui/w
    admit: failed in 0.10 s: no free GPU
    op_00000000000000000000000000000002: failed
    berth: op_00000000000000000000000000000002 failed: No capacity: no node has 1 free GPU (no_capacity)
    ");
    insta::assert_snapshot!(outcome.data, @r"
    operation   op_00000000000000000000000000000002
    kind        allocation.create
    state       failed
    allocation  alloc_00000000000000000000000000000001
    error       No capacity: no node has 1 free GPU (no_capacity)
    workflow    http://ui/w
    created     2026-01-01T00:00:00Z
    deadline    2026-01-01T01:00:00Z

    STEP   STATE   ATTEMPT  SECONDS  DETAIL
    admit  failed  1        0.10     no free GPU
    ");
}

#[tokio::test]
async fn a_wait_that_takes_too_long_ends_with_124_and_leaves_the_work_alone() {
    let steps = json!([step("admit", "running", 1, None, None)]);
    let server = Server::start([Reply::json(200, &operation("running", &steps))]).await;
    let outcome = berth(
        &server,
        &["op", "wait", OPERATION, "--timeout-seconds", "1"],
    )
    .await;
    assert_eq!(outcome.exit, Exit::TimedOut);
    assert_eq!(outcome.exit.code(), 124);
    assert!(
        outcome
            .talk
            .contains(&format!("`berth op wait {OPERATION}`")),
        "{}",
        outcome.talk
    );
    assert!(server.asked().iter().all(|asked| asked.method == "GET"));
}

#[tokio::test]
async fn an_api_that_restarts_does_not_end_the_watching() {
    let done = json!([step("admit", "succeeded", 1, Some(0.1), None)]);
    let server = Server::start([
        Reply::Broken,
        Reply::problem(503, "unavailable", "same_key"),
        Reply::json(200, &operation("succeeded", &done)),
    ])
    .await;
    let outcome = berth(&server, &["op", "wait", OPERATION]).await;
    assert_eq!(outcome.exit, Exit::Ok, "{outcome:?}");
}

#[tokio::test]
async fn a_stuck_operation_is_said_to_be_stuck_once() {
    let steps = json!([step("admit", "running", 1, None, None)]);
    let mut stuck = operation("running", &steps);
    stuck["stuck"] = json!(true);
    let done = operation("succeeded", &steps);
    let replies = [&stuck, &stuck, &done].map(|operation| Reply::json(200, operation));
    let server = Server::start(replies).await;
    let outcome = berth(&server, &["op", "wait", OPERATION]).await;
    assert_eq!(
        outcome.talk.matches("past its deadline").count(),
        1,
        "{}",
        outcome.talk
    );
}
