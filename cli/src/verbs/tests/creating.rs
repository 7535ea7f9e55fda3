//! Creations happen once, whatever the network does.

use serde_json::json;

use super::server::{Reply, Server};
use super::{ALLOCATION, OPERATION, PROJECT, SSH_KEY, berth};
use crate::verbs::Exit;

const CREATE: &[&str] = &[
    "alloc",
    "create",
    "--name",
    "training",
    "--gpus",
    "2",
    "--sku",
    "h100-80gb",
    "--project",
    PROJECT,
    "--ssh-key",
    SSH_KEY,
];

fn accepted() -> Reply {
    Reply::json(
        202,
        &json!({
            "id": OPERATION, "kind": "allocation.create", "state": "pending", "stuck": false,
            "resource": {
                "kind": "allocation", "id": ALLOCATION,
                "url": format!("/api/v1/allocations/{ALLOCATION}"),
            },
            "steps": [], "created_at": "2026-01-01T00:00:00Z",
        }),
    )
}

#[tokio::test]
async fn idm_a_lost_answer_is_asked_for_again_under_the_same_key() {
    let server = Server::start([Reply::Broken, Reply::Broken, accepted()]).await;
    let outcome = berth(&server, CREATE).await;
    assert_eq!(outcome.exit, Exit::Ok, "{outcome:?}");
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert!(asked[0].header("idempotency-key").len() >= 32);
    for again in &asked[1..] {
        assert_eq!(
            again.header("idempotency-key"),
            asked[0].header("idempotency-key")
        );
        assert_eq!(again.body, asked[0].body);
    }
}

#[tokio::test]
async fn idm_two_creations_have_two_keys() {
    let server = Server::start([accepted()]).await;
    berth(&server, CREATE).await;
    berth(&server, CREATE).await;
    let asked = server.asked();
    assert_ne!(
        asked[0].header("idempotency-key"),
        asked[1].header("idempotency-key")
    );
}

#[tokio::test]
async fn idm_a_given_key_is_sent_and_a_replay_is_said() {
    let server = Server::start([accepted().with("idempotency-replayed", "true")]).await;
    let outcome = berth(
        &server,
        &[CREATE, &["--idempotency-key", "mine-1"]].concat(),
    )
    .await;
    assert_eq!(outcome.exit, Exit::Ok, "{outcome:?}");
    assert_eq!(server.asked()[0].header("idempotency-key"), "mine-1");
    assert!(
        outcome.talk.contains("did this already"),
        "{}",
        outcome.talk
    );
}

#[tokio::test]
async fn idm_a_twin_at_work_is_waited_for() {
    let busy = Reply::problem(409, "idempotency_in_progress", "same_key").with("retry-after", "1");
    let server = Server::start([busy, accepted()]).await;
    let begun = std::time::Instant::now();
    let outcome = berth(&server, CREATE).await;
    assert_eq!(outcome.exit, Exit::Ok, "{outcome:?}");
    assert!(
        begun.elapsed() >= std::time::Duration::from_secs(1),
        "Retry-After was not heard"
    );
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_creation_in_doubt_tells_its_key() {
    let server = Server::start([Reply::text(500, "<html>proxy</html>")]).await;
    let outcome = berth(&server, CREATE).await;
    assert_eq!(outcome.exit, Exit::Failed);
    let asked = server.asked();
    assert_eq!(
        asked.len(),
        1,
        "an unknown 500 is not repeated behind the caller's back"
    );
    let key = asked[0].header("idempotency-key");
    assert!(
        outcome.talk.contains(&format!("--idempotency-key {key}")),
        "{}",
        outcome.talk
    );
}

#[tokio::test]
async fn what_is_asked_is_what_was_typed() {
    let server = Server::start([accepted()]).await;
    let extra = [
        "--ssh-key",
        "sshkey_1",
        "--label",
        "team=vision",
        "--label",
        "run=",
        "--lease-seconds",
        "3600",
        "--queue-timeout-seconds",
        "0",
    ];
    berth(&server, &[CREATE, &extra].concat()).await;
    berth(&server, CREATE).await;
    let asked = server.asked();
    assert_eq!(asked[0].line(), "POST /api/v1/allocations");
    assert_eq!(asked[0].header("authorization"), "Bearer berth_test");
    assert_eq!(
        asked[0].json(),
        json!({
            "project_id": PROJECT, "sku": "h100-80gb", "gpu_count": 2, "name": "training",
            "ssh_key_ids": [SSH_KEY, "sshkey_1"], "lease_seconds": 3600, "queue_timeout_seconds": 0,
            "labels": { "team": "vision", "run": "" },
        })
    );
    assert_eq!(
        asked[1].json(),
        json!({
            "project_id": PROJECT, "sku": "h100-80gb", "gpu_count": 2, "name": "training",
            "ssh_key_ids": [SSH_KEY],
        })
    );
}
