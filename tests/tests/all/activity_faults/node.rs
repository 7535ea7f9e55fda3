//! The workflow `NodeEnrollment`: a check of a node with a fault in it, and a check after it.

use serde_json::Value;
use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, eventually};

use super::{LIMIT, closed};

pub(super) const STEPS: &[&str] = &[
    "node.begin",
    "node.verify",
    "node.admit",
    "node.quarantine",
    "capacity.assign",
];

/// Checks nodes in quarantine again, as long as somebody waits.
pub(super) async fn bring_back_for_ever(stack: &Stack) {
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(500));
    loop {
        pause.tick().await;
        for node in stack.nodes().await {
            if node["state"] == "quarantined" {
                probe(stack, &node).await;
            }
        }
    }
}

async fn probe(stack: &Stack, node: &Value) -> Value {
    let path = format!("/api/v1/admin/nodes/{}:probe", text(node, "id"));
    stack.admin().post(&path, &Value::Null).await.expect(202)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().expect("text")
}

/// Cases share few nodes, so they come one after the other.
pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    for step in STEPS {
        for fault in Fault::ALL {
            let node = stack.nodes().await.swap_remove(0);
            run(stack, worker, &node, Strike { step, fault }).await;
        }
    }
}

async fn run(stack: &Stack, worker: &PlannedWorker, node: &Value, strike: Strike) {
    let workflow = format!("node/{}", text(node, "id"));
    settled(stack, node).await;
    let found_bad = Strike {
        step: "node.verify",
        fault: Fault::Before,
    };
    let strikes = match strike.step {
        "node.quarantine" => vec![found_bad, strike],
        // Whatever happens, the queue is asked for again.
        "capacity.assign" => vec![strike; 2],
        _ => vec![strike],
    };
    worker.plan(&workflow, &strikes);
    let check = stack
        .admin()
        .finished(&probe(stack, node).await, LIMIT)
        .await;
    assert!(check["ended_at"].is_string(), "{strike:?}: {check}");
    closed(stack, &workflow).await;
    assert_eq!(worker.missed(&workflow), [], "{strike:?}");
    let state = settled(stack, node).await;
    if state == "quarantined" {
        let check = stack
            .admin()
            .finished(&probe(stack, node).await, LIMIT)
            .await;
        assert_eq!(check["state"], "succeeded", "{strike:?}: {check}");
        assert_eq!(settled(stack, node).await, "available");
    }
    stack.assert_clean(text(node, "id")).await;
}

/// Waits until nobody looks at the node.
async fn settled(stack: &Stack, node: &Value) -> String {
    let path = format!("/api/v1/admin/nodes/{}", text(node, "id"));
    eventually("the check is over", LIMIT, || async {
        let node = stack.admin().get(&path).await.expect(200);
        let state = text(&node, "state");
        ["available", "quarantined"]
            .contains(&state)
            .then(|| state.to_owned())
    })
    .await
}
