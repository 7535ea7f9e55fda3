//! Machines that operators take out of service, and back.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use tests::{Answer, Stack, Tenant, eventually, stack};

const LIMIT: Duration = Duration::from_mins(3);

fn why() -> Value {
    json!({"reason": "a fan is replaced"})
}

async fn order(stack: &Stack, node: &str, verb: &str, body: &Value) -> Answer {
    let path = format!("/api/v1/admin/nodes/{node}:{verb}");
    stack.admin().post(&path, body).await
}

async fn node(stack: &Stack, id: &str) -> Value {
    let path = format!("/api/v1/admin/nodes/{id}");
    stack.admin().get(&path).await.expect(200)
}

/// An allocation of one GPU: its operation and its id.
async fn ask(stack: &Stack, tenant: &Tenant) -> (Value, String) {
    let made = tenant.create_allocation(stack, 1).await.expect(202);
    let id = made["resource"]["id"].as_str().expect("an id").to_owned();
    (made, id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cordoned_node_keeps_what_it_has_and_gets_nothing_new() {
    let stack = Stack::own(1).await;
    let tenant = Tenant::new(&stack).await;
    let machine = stack.nodes().await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (made, before) = ask(&stack, &tenant).await;
    tenant.api.finished(&made, LIMIT).await;

    let cordoned = order(&stack, &machine, "cordon", &why()).await.expect(200);
    assert_eq!(
        (&cordoned["state"], &cordoned["state_reason"]),
        (&json!("maintenance"), &json!("cordoned"))
    );
    // Again changes nothing.
    order(&stack, &machine, "cordon", &why()).await.expect(200);
    let (made, during) = ask(&stack, &tenant).await;
    tenant.api.allocation_in(&during, &["queued"], LIMIT).await;
    assert_eq!(tenant.allocation(&before).await["state"], "active");
    let refused = order(&stack, &machine, "retire", &why()).await;
    let problem = refused.problem(409, "conflict");
    let detail = problem["detail"].as_str().expect("a detail");
    assert!(detail.starts_with("allocations on it: 1;"), "{detail}");

    // It is probed, and the queue is served.
    let looked = order(&stack, &machine, "uncordon", &json!({}))
        .await
        .expect(202);
    let done = stack.admin().finished(&looked, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    tenant.api.finished(&made, LIMIT).await;
    tenant.api.allocation_in(&during, &["active"], LIMIT).await;
    order(&stack, &machine, "uncordon", &json!({}))
        .await
        .problem(409, "conflict");

    // Bad in an operator's eyes: the same, and an event; a probe that finds it good ends it.
    let bad = order(&stack, &machine, "quarantine", &why())
        .await
        .expect(200);
    assert_eq!(bad["state_reason"], "quarantined_by_operator");
    assert_eq!(tenant.allocation(&before).await["state"], "active");
    order(&stack, &machine, "uncordon", &json!({}))
        .await
        .problem(409, "conflict");
    let events: i64 = sqlx::query_scalar(
        "select count(*) from outbox_events where type like '%node.quarantined%' and data->>'code' = 'quarantined_by_operator'",
    )
    .fetch_one(&stack.database().await)
    .await
    .expect("the outbox");
    assert_eq!(events, 1);
    let looked = order(&stack, &machine, "probe", &json!({}))
        .await
        .expect(202);
    stack.admin().finished(&looked, LIMIT).await;
    assert_eq!(node(&stack, &machine).await["state"], "available");

    // For good, once nobody is on it.
    for id in [&before, &during] {
        let path = format!("/api/v1/allocations/{id}");
        tenant.api.delete(&path).await.expect(202);
        tenant.api.allocation_in(id, &["released"], LIMIT).await;
        stack.assert_clean(id).await;
    }
    let retired = order(&stack, &machine, "retire", &why()).await.expect(200);
    assert_eq!(retired["state"], "retired");
    for verb in ["probe", "uncordon", "cordon", "quarantine"] {
        order(&stack, &machine, verb, &why())
            .await
            .problem(409, "conflict");
    }
    // The same machine again, with its GPUs: they come over from the retired row.
    let field = |name: &str| retired[name].clone();
    let again = json!({"name": field("name"), "sku": field("sku"), "host": field("host"),
        "port": field("port"), "host_key": field("host_key"),
        "expected_gpu_count": field("expected_gpu_count")});
    let made = stack
        .admin()
        .post("/api/v1/admin/nodes", &again)
        .await
        .expect(202);
    let done = stack.admin().finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let (made, id) = ask(&stack, &tenant).await;
    tenant.api.finished(&made, LIMIT).await;
    assert_eq!(tenant.allocation(&id).await["state"], "active");
    let reasons: Vec<String> = sqlx::query_scalar(
        "select action from audit_logs where resource_id = $1 and detail->>'reason' = 'a fan is replaced'
         and outcome = 'allowed' order by created_at",
    )
    .bind(&machine)
    .fetch_all(&stack.database().await)
    .await
    .expect("the log");
    let wanted = [
        "node.cordon",
        "node.cordon",
        "node.quarantine",
        "node.retire",
    ];
    assert_eq!(reasons, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_under_way_does_not_bring_a_cordoned_node_back() {
    let stack = Stack::own(1).await;
    let found = stack.nodes().await[0].clone();
    let text = |name: &str| found[name].as_str().expect("a text").to_owned();
    let (machine, name) = (text("id"), text("name"));
    let ends = async |look: &Value| {
        let done = stack.admin().finished(look, LIMIT).await;
        assert_eq!(done["state"], "cancelled", "{done}");
        let now = node(&stack, &machine).await;
        assert_eq!(
            (&now["state"], &now["state_reason"]),
            (&json!("maintenance"), &json!("cordoned"))
        );
    };
    // One that nobody began yet.
    let worker = stack.pid("worker").expect("a worker");
    kill(worker, Signal::SIGSTOP).expect("it is alive");
    let look = order(&stack, &machine, "probe", &json!({}))
        .await
        .expect(202);
    order(&stack, &machine, "cordon", &why()).await.expect(200);
    kill(worker, Signal::SIGCONT).expect("it is alive");
    ends(&look).await;
    // One that dials the machine, which does not answer for now.
    stack.fault(&name, "hang", true);
    let look = order(&stack, &machine, "uncordon", &json!({}))
        .await
        .expect(202);
    eventually("the check dials", LIMIT, || async {
        (node(&stack, &machine).await["state"] == "verifying").then_some(())
    })
    .await;
    order(&stack, &machine, "cordon", &why()).await.expect(200);
    stack.fault(&name, "hang", false);
    ends(&look).await;
    // And a look that was called off is not the answer to the next one.
    let look = order(&stack, &machine, "uncordon", &json!({}))
        .await
        .expect(202);
    let done = stack.admin().finished(&look, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_node_out_of_service_is_an_operator_and_says_why() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let machine = stack.nodes().await[0]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    for verb in ["cordon", "quarantine", "retire"] {
        let path = format!("/api/v1/admin/nodes/{machine}:{verb}");
        tenant
            .api
            .post(&path, &why())
            .await
            .problem(403, "forbidden");
        for body in [
            json!({}),
            json!({"reason": ""}),
            json!({"reason": "two\nlines"}),
        ] {
            let refused = order(stack, &machine, verb, &body).await;
            refused.problem(422, "invalid_request");
        }
        let unknown = format!("node_{:032x}", 7);
        let refused = order(stack, &unknown, verb, &why()).await;
        refused.problem(404, "not_found");
    }
    assert_eq!(node(stack, &machine).await["state"], "available");
}
