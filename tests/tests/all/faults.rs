//! What may go wrong under an allocation, on a stack that the tests hurt: bad nodes, servers that
//! go away, a worker killed in each step. Afterwards nothing is left behind.

use std::time::Duration;

use serde_json::{Value, json};
use tests::shell::ssh;
use tests::stack::Turn;
use tests::{Tenant, eventually, rough_stack};

const LIMIT: Duration = Duration::from_mins(3);

fn id(operation: &Value) -> String {
    operation["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

async fn release(stack: &Turn, tenant: &Tenant, allocation: &str) {
    let release = tenant
        .api
        .delete(&format!("/api/v1/allocations/{allocation}"))
        .await
        .expect(202);
    let done = tenant.api.finished(&release, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    stack.assert_clean(allocation).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_nodes_are_quarantined_and_the_next_is_tried() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    stack.fault("node-1", "gpu-missing", true);
    stack.fault("node-2", "wrong-driver", true);
    let operation = tenant.create_allocation(&stack, 8).await.expect(202);
    let done = tenant.api.finished(&operation, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let allocation = tenant.allocation(&id(&operation)).await;
    let given = allocation["nodes"][0]["id"].clone();
    let nodes = stack.nodes().await;
    let name = |n: &Value| n["name"].as_str().unwrap().to_owned();
    let good = nodes.iter().find(|n| n["id"] == given).map(name);
    assert_eq!(good.as_deref(), Some("node-3"));
    for node in nodes.iter().filter(|n| n["state"] == "quarantined") {
        assert!(node["state_reason"].is_string(), "{node}");
        assert_ne!(name(node), "node-3");
    }
    stack
        .record(
            "allocation_second_node",
            &format!("allocation/{}", id(&operation)),
        )
        .await;
    release(&stack, &tenant, &id(&operation)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_every_node_bad_it_fails_and_nothing_is_left() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    for (node, fault) in [
        ("node-1", "refuse-login"),
        ("node-2", "gpu-missing"),
        ("node-3", "disk-full"),
    ] {
        stack.fault(node, fault, true);
    }
    let operation = tenant.create_allocation(&stack, 8).await.expect(202);
    let done = tenant.api.finished(&operation, LIMIT).await;
    assert_eq!(done["state"], "failed", "{done}");
    assert!(done["error"]["code"].is_string(), "{done}");
    let allocation = tenant.allocation(&id(&operation)).await;
    assert_eq!(allocation["state"], "failed");
    assert!(allocation["state_reason"].is_string());
    let quarantined = stack
        .nodes()
        .await
        .iter()
        .filter(|n| n["state"] == "quarantined")
        .count();
    assert_eq!(quarantined, 3);
    stack
        .record(
            "allocation_no_good_node",
            &format!("allocation/{}", id(&operation)),
        )
        .await;
    stack.heal().await;
    stack.assert_clean(&id(&operation)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_finds_a_fault_takes_the_node_out_of_service() {
    let stack = rough_stack().await;
    let nodes = stack.nodes().await;
    let node = nodes.iter().find(|n| n["name"] == "node-2").unwrap()["id"]
        .as_str()
        .unwrap();
    stack.fault("node-2", "gpu-missing", true);
    let path = format!("/api/v1/admin/nodes/{node}");
    stack
        .admin()
        .post(&format!("{path}:probe"), &json!({}))
        .await
        .expect(202);
    let found = eventually("node-2 is quarantined", LIMIT, || async {
        let node = stack.admin().get(&path).await.expect(200);
        (node["state"] == "quarantined").then_some(node)
    })
    .await;
    assert_eq!(found["state_reason"], "gpu_missing", "{found}");
    let reports = stack
        .admin()
        .get(&format!("{path}/probe-reports"))
        .await
        .expect(200);
    assert_eq!(reports["items"][0]["passed"], false, "{reports}");
    stack
        .record("node_quarantined", &format!("node/{node}"))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_temporal_the_answer_is_202_and_the_work_is_done_later() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    stack.control("stop", "temporal").await;
    let operation = tenant.create_allocation(&stack, 1).await.expect(202);
    assert_eq!(operation["state"], "pending");
    stack.control("start", "temporal").await;
    let done = tenant.api.finished(&operation, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    release(&stack, &tenant, &id(&operation)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_and_redis_work_goes_on_and_events_arrive_later() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    stack.control("stop", "nats").await;
    stack.control("stop", "redis").await;
    let operation = tenant.create_allocation(&stack, 1).await.expect(202);
    assert_eq!(
        tenant.api.finished(&operation, LIMIT).await["state"],
        "succeeded"
    );
    stack.control("start", "redis").await;
    stack.control("start", "nats").await;
    release(&stack, &tenant, &id(&operation)).await;
    let database = stack.database().await;
    eventually("every event is published", LIMIT, || async {
        let open = sqlx::query_scalar::<_, i64>(
            "select count(*) from outbox_events where published_at is null",
        );
        (open.fetch_one(&database).await.ok()? == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_each_step_of_provisioning_resumes() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    for step in [
        "admit",
        "reserve",
        "preflight",
        "install_access",
        "accept",
        "activate",
    ] {
        let operation = stack
            .with_step_held(step, || tenant.create_allocation(&stack, 1))
            .await;
        let done = tenant.api.finished(&operation, LIMIT).await;
        assert_eq!(done["state"], "succeeded", "killed in {step}: {done}");
        let allocation = tenant.allocation(&id(&operation)).await;
        let seen = ssh(
            &allocation["nodes"][0],
            &tenant.keys.private,
            "nvidia-smi -L | wc -l",
        )
        .await;
        assert_eq!(
            String::from_utf8_lossy(&seen.stdout).trim(),
            "1",
            "killed in {step}: {seen:?}"
        );
        release(&stack, &tenant, &id(&operation)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_in_each_step_of_release_resumes() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    for step in ["begin_release", "remove_access", "prove_removed", "free"] {
        let operation = tenant.create_allocation(&stack, 1).await.expect(202);
        assert_eq!(
            tenant.api.finished(&operation, LIMIT).await["state"],
            "succeeded"
        );
        let path = format!("/api/v1/allocations/{}", id(&operation));
        let release = stack
            .with_step_held(step, || tenant.api.delete(&path))
            .await;
        let done = tenant.api.finished(&release, LIMIT).await;
        assert_eq!(done["state"], "succeeded", "killed in {step}: {done}");
        assert_eq!(
            tenant.allocation(&id(&operation)).await["state"],
            "released"
        );
        stack.assert_clean(&id(&operation)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_in_the_middle_of_provisioning_wins() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    for node in ["node-1", "node-2", "node-3"] {
        stack.fault(node, "hang", true);
    }
    let operation = tenant.create_allocation(&stack, 1).await.expect(202);
    tenant
        .api
        .allocation_in(&id(&operation), &["provisioning"], LIMIT)
        .await;
    let release = tenant
        .api
        .delete(&format!("/api/v1/allocations/{}", id(&operation)))
        .await
        .expect(202);
    stack.heal_faults();
    let done = tenant.api.finished(&release, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let created = tenant.api.finished(&operation, LIMIT).await;
    assert_eq!(created["state"], "cancelled", "{created}");
    stack
        .record(
            "allocation_deleted_early",
            &format!("allocation/{}", id(&operation)),
        )
        .await;
    stack.assert_clean(&id(&operation)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_in_the_temporal_ui_means_release() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    let operation = tenant.create_allocation(&stack, 1).await.expect(202);
    assert_eq!(
        tenant.api.finished(&operation, LIMIT).await["state"],
        "succeeded"
    );
    let workflow = format!("allocation/{}", id(&operation));
    stack.cancel_workflow(&workflow).await;
    tenant
        .api
        .allocation_in(&id(&operation), &["released"], LIMIT)
        .await;
    stack.record("allocation_cancelled_in_ui", &workflow).await;
    stack.assert_clean(&id(&operation)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_cannot_be_proved_stays_open_until_it_can() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    let operation = tenant.create_allocation(&stack, 1).await.expect(202);
    assert_eq!(
        tenant.api.finished(&operation, LIMIT).await["state"],
        "succeeded"
    );
    let path = format!("/api/v1/allocations/{}", id(&operation));
    let node = tenant.allocation(&id(&operation)).await["nodes"][0]["id"].clone();
    let nodes = stack.nodes().await;
    let name = nodes.iter().find(|n| n["id"] == node).unwrap()["name"]
        .as_str()
        .unwrap()
        .to_owned();
    stack
        .policy("allocation.release_retry_seconds", &json!(5))
        .await;
    stack.control("stop", &name).await;
    let release = tenant.api.delete(&path).await.expect(202);
    let done = tenant.api.finished(&release, LIMIT).await;
    assert_eq!(done["state"], "failed", "{done}");
    let held = tenant.allocation(&id(&operation)).await;
    assert_eq!(held["state"], "release_failed");
    // Billing has stopped, and nobody else gets these GPUs.
    let usage = tenant.api.get(&format!("{path}/usage")).await.expect(200);
    assert!(usage["items"][0]["ended_at"].is_string(), "{usage}");
    assert_eq!(stack.unreleased_gpus(&id(&operation)).await, 1);
    stack.control("start", &name).await;
    let retry = tenant
        .api
        .post(&format!("{path}:retry-release"), &json!({}))
        .await
        .expect(202);
    let done = tenant.api.finished(&retry, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(
        tenant.allocation(&id(&operation)).await["state"],
        "released"
    );
    stack
        .policy("allocation.release_retry_seconds", &json!(900))
        .await;
    stack
        .record(
            "allocation_release_retried",
            &format!("allocation/{}", id(&operation)),
        )
        .await;
    stack.assert_clean(&id(&operation)).await;
}
