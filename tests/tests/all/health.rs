//! A fleet that is looked after: what is bad takes no more reservations, who has GPUs there is told
//! and pays nothing meanwhile, and what heals comes back by itself.

use std::time::Duration;

use serde_json::{Value, json};
use tests::shell::ssh;
use tests::{Stack, Tenant, eventually};

use crate::sweep::{record_one, trigger};

const LIMIT: Duration = Duration::from_mins(2);

async fn active(stack: &Stack, tenant: &Tenant) -> String {
    let made = tenant.create_allocation(stack, 1).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    made["resource"]["id"].as_str().expect("an id").to_owned()
}

/// Sweeps until an allocation is in this state.
async fn swept_into(stack: &Stack, tenant: &Tenant, id: &str, state: &str) -> Value {
    eventually(&format!("{id} is {state}"), LIMIT, || async {
        trigger(stack, "node-health").await;
        let allocation = tenant.allocation(id).await;
        (allocation["state"] == state).then_some(allocation)
    })
    .await
}

async fn node(stack: &Stack, name: &str) -> Value {
    let nodes = stack.nodes().await;
    let node = nodes.into_iter().find(|node| node["name"] == name);
    node.expect("the stack has such a node")
}

/// Sweeps until a node is in this state.
async fn swept_node_into(stack: &Stack, name: &str, state: &str) -> Value {
    eventually(&format!("{name} is {state}"), LIMIT, || async {
        trigger(stack, "node-health").await;
        let node = node(stack, name).await;
        (node["state"] == state).then_some(node)
    })
    .await
}

/// GPUs that were delivered, are healthy, free, and with tenants.
async fn capacity(stack: &Stack) -> Value {
    let all = stack
        .admin()
        .get("/api/v1/admin/capacity")
        .await
        .expect(200);
    let skus = all["items"].as_array().expect("a list");
    let sku = skus.iter().find(|sku| sku["sku"] == stack.env("BERTH_SKU"));
    let sku = sku.expect("the sample SKU");
    json!(["delivered", "healthy", "free", "active"].map(|count| &sku[count]))
}

async fn usage(tenant: &Tenant, id: &str) -> Vec<Value> {
    let path = format!("/api/v1/allocations/{id}/usage");
    let usage = tenant.api.get(&path).await.expect(200);
    usage["items"].as_array().expect("a list").clone()
}

async fn released(stack: &Stack, tenant: &Tenant, id: &str) {
    let path = format!("/api/v1/allocations/{id}");
    let release = tenant.api.delete(&path).await.expect(202);
    let done = tenant.api.finished(&release, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    stack.assert_clean(id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bad_is_taken_out_told_and_brought_back() {
    let stack = Stack::own(1).await;
    stack.raise_limits().await;
    stack.policy("node.health_timeout_seconds", &json!(3)).await;
    let tenant = Tenant::new(&stack).await;
    let (first, second) = (active(&stack, &tenant).await, active(&stack, &tenant).await);

    one_gpu_is_missing(&stack, &tenant, &first, &second).await;
    the_node_is_started_anew(&stack, &tenant, &first, &second).await;
    the_node_does_not_answer(&stack, &tenant, &first).await;
    an_operators_word_stands(&stack, &tenant, &first).await;
    record_one(&stack, "NodeHealthSweep", "node_health_sweep").await;
    for id in [first, second] {
        released(&stack, &tenant, &id).await;
        stack
            .record("allocation_degraded", &format!("allocation/{id}"))
            .await;
    }
}

/// Whoever has another GPU of the machine works on.
async fn one_gpu_is_missing(stack: &Stack, tenant: &Tenant, first: &str, second: &str) {
    let lost = tenant.allocation(second).await["nodes"][0]["gpus"][0]["index"].clone();
    stack.fault_of("node-1", "gpu-missing", &lost.to_string());
    let ill = swept_into(stack, tenant, second, "degraded").await;
    assert_eq!(ill["state_reason"], "gpu_missing", "{ill}");
    assert_eq!(ill["conditions"][0]["type"], "node_degraded", "{ill}");
    assert_eq!(tenant.allocation(first).await["state"], "active");
    let out = node(stack, "node-1").await;
    assert_eq!(
        (&out["state"], &out["state_reason"]),
        (&json!("quarantined"), &json!("gpu_missing"))
    );
    assert_eq!(out["health"]["fault"], "gpu_missing", "{out}");
    assert_eq!(out["health"]["fault_gpus"], json!([lost]), "{out}");
    let counts = capacity(stack).await;
    assert_eq!(counts, json!([8, 0, 0, 2]), "nothing is given out there");
    let before = usage(tenant, second).await;
    assert!(
        before.len() == 1 && before[0]["ended_at"].is_string(),
        "{before:?}"
    );
    assert!(usage(tenant, first).await[0]["ended_at"].is_null());

    let reports = format!(
        "/api/v1/admin/nodes/{}/probe-reports",
        out["id"].as_str().expect("an id")
    );
    let reports = stack.admin().get(&reports).await.expect(200);
    let told: Vec<&Value> = reports["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|report| report["kind"] == "health" && report["passed"] == false)
        .collect();
    assert_eq!(told.len(), 1, "one report a change: {reports}");
    assert_eq!(told[0]["findings"][0]["gpu_index"], lost, "{reports}");

    stack.fault("node-1", "gpu-missing", false);
    swept_into(stack, tenant, second, "active").await;
    swept_node_into(stack, "node-1", "available").await;
    assert_eq!(capacity(stack).await, json!([8, 8, 6, 2]));
    let after = usage(tenant, second).await;
    assert!(
        after.len() == 2 && after[1]["ended_at"].is_null(),
        "{after:?}"
    );
    assert!(after[1]["started_at"].as_str() > after[0]["ended_at"].as_str());
    let events = format!("/api/v1/allocations/{second}/events");
    let events = tenant.api.get(&events).await.expect(200).to_string();
    for kind in ["allocation.degraded", "allocation.recovered"] {
        assert!(events.contains(kind), "{events}");
    }
}

/// Devices and accounts are as they were before: its tenant can log in and sees its GPU.
async fn the_node_is_started_anew(stack: &Stack, tenant: &Tenant, first: &str, second: &str) {
    stack.control("stop", "node-1").await;
    stack.control("start", "node-1").await;
    for id in [first, second] {
        eventually("it is set up again", LIMIT, || async {
            trigger(stack, "node-health").await;
            let noted = "select count(*) from audit_logs where resource_id = $1
                         and action = 'allocation.degrade' and reason = 'rebooted'";
            let noted = sqlx::query_scalar::<_, i64>(noted).bind(id);
            (noted.fetch_one(&stack.database().await).await.ok()? == 1).then_some(())
        })
        .await;
        let well = swept_into(stack, tenant, id, "active").await;
        let seen = ssh(
            &well["nodes"][0],
            &tenant.keys.private,
            "nvidia-smi -L | wc -l",
        )
        .await;
        assert_eq!(
            String::from_utf8_lossy(&seen.stdout).trim(),
            "1",
            "{seen:?}"
        );
    }
    // Whoever has nothing there need not care.
    assert_eq!(node(stack, "node-1").await["state"], "available");
}

/// One look without an answer means nothing; three do.
async fn the_node_does_not_answer(stack: &Stack, tenant: &Tenant, first: &str) {
    stack.fault("node-1", "refuse-login", false);
    stack.fault("node-1", "hang", true);
    let ill = swept_into(stack, tenant, first, "degraded").await;
    let lost = node(stack, "node-1").await;
    assert_eq!(lost["health"]["missed_looks"], 3, "{lost}");
    assert_eq!(ill["state_reason"], lost["state_reason"], "{ill} {lost}");
    stack.fault("node-1", "hang", false);
    swept_into(stack, tenant, first, "active").await;
    swept_node_into(stack, "node-1", "available").await;
}

/// A node that an operator took out stays out, however well it is.
async fn an_operators_word_stands(stack: &Stack, tenant: &Tenant, first: &str) {
    stack.fault_of("node-1", "xid", "79");
    let ill = swept_into(stack, tenant, first, "degraded").await;
    assert_eq!(ill["state_reason"], "xid_errors", "{ill}");
    let path = format!(
        "/api/v1/admin/nodes/{}",
        node(stack, "node-1").await["id"].as_str().expect("an id")
    );
    let why = json!({"reason": "the board goes back"});
    stack
        .admin()
        .post(&format!("{path}:quarantine"), &why)
        .await
        .expect(200);
    stack.fault("node-1", "xid", false);
    swept_into(stack, tenant, first, "active").await;
    let still = stack.admin().get(&path).await.expect(200);
    assert_eq!(still["state"], "quarantined", "{still}");
    assert_eq!(still["health"]["fault"], Value::Null, "{still}");
}
