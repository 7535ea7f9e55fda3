//! Work that waits for people: it is listed, and they can do something about it, with a reason.

use std::time::Duration;

use serde_json::{Value, json};
use tests::node::Node;
use tests::{Stack, Tenant, eventually, rough_stack, stack};

use crate::sweep::{ask, run_of};

const LIMIT: Duration = Duration::from_mins(3);

/// The operation as the list of what waits for people shows it.
async fn listed(stack: &Stack, id: &str) -> Option<Value> {
    let path = "/api/v1/admin/operations?stuck=true&page_size=100";
    let page = stack.admin().get(path).await.expect(200);
    let mut all = page["items"].as_array().expect("a list").iter();
    all.find(|operation| operation["id"] == id).cloned()
}

/// Who did something to an operation, and why, as the audit log has it.
async fn noted(stack: &Stack, action: &str, reason: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from audit_logs
         where action = $1 and detail->>'reason' = $2 and outcome = 'allowed'",
    )
    .bind(action)
    .bind(reason)
    .fetch_one(&stack.database().await)
    .await
    .expect("the log")
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_past_its_deadline_is_listed_and_can_be_pushed() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let made = ask(stack, &tenant).await;
    let (operation, id) = (text(&made["id"]), text(&made["resource"]["id"]));
    tenant.api.allocation_in(id, &["queued"], LIMIT).await;
    assert_eq!(listed(stack, operation).await, None);
    sqlx::query(
        "update operations set deadline_at = now() - interval '1 second' where id = $1::uuid",
    )
    .bind(operation.rsplit('_').next().expect("an id"))
    .execute(&stack.database().await)
    .await
    .expect("its row");
    let late = listed(stack, operation)
        .await
        .expect("it is past its deadline");
    assert_eq!(late["stuck"], true, "{late}");
    let allocation = tenant.allocation(id).await;
    assert_eq!(allocation["conditions"][0]["type"], "stuck", "{allocation}");
    let told = stack.berth(&["workflow", "stuck"]).await;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let workflow = format!("allocation/{id}");
    stack.terminate_workflow(&workflow).await;

    let path = format!("/api/v1/admin/operations/{operation}:retry");
    let why = json!({"reason": format!("push {operation}")});
    tenant.api.post(&path, &why).await.problem(403, "forbidden");
    stack
        .admin()
        .post(&path, &json!({}))
        .await
        .problem(422, "invalid_request");
    let pushed = stack.admin().post(&path, &why).await.expect(202);
    assert_eq!(pushed["stuck"], false, "{pushed}");
    assert_eq!(listed(stack, operation).await, None);
    eventually("its workflow runs again", LIMIT, || {
        run_of(stack, &workflow)
    })
    .await;
    assert_eq!(
        noted(stack, "operation.retry", text(&why["reason"])).await,
        1
    );
    assert!(told.contains(operation), "{told}");

    let path = format!("/api/v1/admin/operations/{operation}:force-release");
    stack
        .admin()
        .post(&path, &why)
        .await
        .problem(409, "conflict");
    tenant
        .api
        .delete(&format!("/api/v1/allocations/{id}"))
        .await
        .expect(202);
    tenant
        .api
        .allocation_in(id, &["released", "failed"], LIMIT)
        .await;
    let path = format!("/api/v1/admin/operations/{operation}:retry");
    stack
        .admin()
        .post(&path, &why)
        .await
        .problem(409, "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_given_up_is_cleared_away_before_the_node_takes_anybody() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    let patience = json!({"scope": tenant.org_id, "value": 1});
    let policy = "/api/v1/admin/policies/allocation.release_retry_seconds";
    stack.admin().put(policy, &patience).await.expect(200);
    let made = tenant.create_allocation(&stack, 1).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let id = text(&made["resource"]["id"]);
    let allocation = tenant.allocation(id).await;
    let node_id = text(&allocation["nodes"][0]["id"]).to_owned();
    let gpu = allocation["nodes"][0]["gpus"][0]["index"].clone();
    let node_path = format!("/api/v1/admin/nodes/{node_id}");
    let node = stack.admin().get(&node_path).await.expect(200);
    stack.control("stop", text(&node["name"])).await;
    let path = format!("/api/v1/allocations/{id}");
    let release = tenant.api.delete(&path).await.expect(202);
    let release = tenant.api.finished(&release, LIMIT).await;
    assert_eq!(release["state"], "failed", "{release}");
    let operation = text(&release["id"]);
    assert!(listed(&stack, operation).await.is_some());

    let force = format!("/api/v1/admin/operations/{operation}:force-release");
    let why = json!({"reason": format!("{id} burnt down")});
    tenant
        .api
        .post(&force, &why)
        .await
        .problem(403, "forbidden");
    let forced = stack.admin().post(&force, &why).await.expect(202);
    let forced = stack.admin().finished(&forced, LIMIT).await;
    assert_eq!(forced["state"], "succeeded", "{forced}");
    assert_eq!(
        noted(&stack, "operation.force_release", text(&why["reason"])).await,
        1
    );
    let ended = tenant.allocation(id).await;
    assert_eq!(
        (&ended["state"], &ended["state_reason"]),
        (&json!("released"), &json!("force_released"))
    );
    assert_eq!(stack.unreleased_gpus(id).await, 0);
    let out = stack.admin().get(&node_path).await.expect(200);
    assert_eq!(out["state"], "quarantined", "{out}");
    let state = |node: &Value| {
        let gpus = node["gpus"].as_array().expect("a list").clone();
        gpus.into_iter()
            .find(|one| one["index"] == gpu)
            .expect("the GPU")["state"]
            .clone()
    };
    assert_eq!(state(&out), "faulty", "{out}");

    stack.control("start", text(&node["name"])).await;
    // As a driver leaves its devices after a start of the machine.
    let started = "chown 0:0 /dev/nvidia[0-9]* && chmod 0666 /dev/nvidia[0-9]*";
    let machine = Node::of(&stack, text(&node["name"])).await;
    let output = machine.run(started, LIMIT).await.expect("it runs");
    assert_eq!(output.status, 0, "{output:?}");
    let probe = stack
        .admin()
        .post(&format!("{node_path}:probe"), &Value::Null)
        .await
        .expect(202);
    let probe = stack.admin().finished(&probe, LIMIT).await;
    assert_eq!(probe["state"], "succeeded", "{probe}");
    let back = stack.admin().get(&node_path).await.expect(200);
    assert_eq!(
        (&back["state"], state(&back)),
        (&json!("available"), json!("free")),
        "{back}"
    );
    stack.assert_clean(id).await;
    stack
        .record("allocation_force_released", &format!("allocation/{id}"))
        .await;
}
