//! The whole path as a tenant walks it: over HTTP and with the system's own `ssh`.

use std::time::Duration;

use serde_json::Value;
use tests::shell::ssh;
use tests::{Stack, Tenant, stack};

const MINUTE: Duration = Duration::from_mins(1);

fn listed(output: &std::process::Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let uuid = |line: &str| {
        line.split("UUID: ")
            .nth(1)?
            .strip_suffix(')')
            .map(str::to_owned)
    };
    let mut uuids: Vec<_> = text.lines().filter_map(uuid).collect();
    uuids.sort();
    uuids
}

fn leased(allocation: &Value) -> Vec<String> {
    let gpus = allocation["nodes"][0]["gpus"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut uuids: Vec<_> = gpus
        .iter()
        .filter_map(|g| g["uuid"].as_str())
        .map(str::to_owned)
        .collect();
    uuids.sort();
    uuids
}

async fn active(stack: &Stack, tenant: &Tenant, gpus: u32) -> Value {
    let answer = tenant.create_allocation(stack, gpus).await;
    let operation = answer.expect(202);
    let done = tenant.api.finished(&operation, 2 * MINUTE).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let id = operation["resource"]["id"].as_str().expect("an id");
    tenant
        .api
        .get(&format!("/api/v1/allocations/{id}"))
        .await
        .expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_gets_gpus_uses_them_and_gives_them_back() {
    let stack = stack().await;
    let (tenant, neighbour) = (Tenant::new(stack).await, Tenant::new(stack).await);

    let answer = tenant.create_allocation(stack, 2).await;
    let operation = answer.expect(202);
    let operation_url = format!("/api/v1/operations/{}", operation["id"].as_str().unwrap());
    assert_eq!(answer.header("location"), operation_url);
    let done = tenant.api.finished(&operation, 2 * MINUTE).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let steps: Vec<_> = done["steps"].as_array().unwrap().iter().collect();
    let names: Vec<_> = steps.iter().filter_map(|s| s["name"].as_str()).collect();
    assert_eq!(
        names,
        [
            "admit",
            "reserve",
            "preflight",
            "install_access",
            "accept",
            "activate"
        ]
    );
    assert!(
        steps
            .iter()
            .all(|s| s["state"] == "succeeded" && s["ended_at"].is_string()),
        "{done}"
    );

    let id = operation["resource"]["id"].as_str().unwrap();
    let path = format!("/api/v1/allocations/{id}");
    let allocation = tenant.api.get(&path).await.expect(200);
    assert_eq!(allocation["state"], "active");
    let node = &allocation["nodes"][0];
    assert_eq!(leased(&allocation).len(), 2);
    assert!(node["receipt"].is_object(), "{allocation}");

    // Logged in, the tenant sees exactly what was leased, and cannot open the rest.
    let seen = ssh(node, &tenant.keys.private, "nvidia-smi -L").await;
    assert!(seen.status.success(), "{seen:?}");
    assert_eq!(listed(&seen), leased(&allocation));
    let stranger = ssh(node, &neighbour.keys.private, "true").await;
    assert!(
        !stranger.status.success(),
        "a stranger's key opens the account"
    );

    // A neighbour on the same machine notices nothing of what follows.
    let beside = active(stack, &neighbour, 1).await;
    let beside_node = &beside["nodes"][0];
    let left_running = ssh(
        node,
        &tenant.keys.private,
        "nohup sleep 600 >/dev/null 2>&1 & echo up",
    )
    .await;
    assert!(left_running.status.success());
    let release = tenant.api.delete(&path).await.expect(202);
    let released = tenant.api.finished(&release, 2 * MINUTE).await;
    assert_eq!(released["state"], "succeeded", "{released}");
    let gone = tenant.api.get(&path).await.expect(200);
    assert_eq!(gone["state"], "released");

    let refused = ssh(node, &tenant.keys.private, "true").await;
    assert_eq!(refused.status.code(), Some(255), "{refused:?}");
    stack.assert_clean(id).await;

    let still = ssh(beside_node, &neighbour.keys.private, "nvidia-smi -L").await;
    assert_eq!(listed(&still), leased(&beside));
    let beside_path = format!("/api/v1/allocations/{}", beside["id"].as_str().unwrap());
    let release = neighbour.api.delete(&beside_path).await.expect(202);
    neighbour.api.finished(&release, 2 * MINUTE).await;

    // What happened can be read back, in order and without gaps.
    let events = tenant.api.get(&format!("{path}/events")).await.expect(200);
    let kinds: Vec<_> = events["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|e| e["type"].as_str()?.rsplit('.').next().map(str::to_owned))
        .collect();
    assert_eq!(
        kinds,
        [
            "requested",
            "queued",
            "provisioning",
            "active",
            "releasing",
            "released"
        ]
    );
    let usage = tenant.api.get(&format!("{path}/usage")).await.expect(200);
    assert_eq!(usage["items"].as_array().unwrap().len(), 1, "{usage}");
    stack
        .record("allocation_released", &format!("allocation/{id}"))
        .await;
    let machine = node["id"].as_str().unwrap();
    stack
        .record("node_available", &format!("node/{machine}"))
        .await;
}
