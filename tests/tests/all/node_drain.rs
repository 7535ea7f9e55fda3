//! A node that is emptied for maintenance: its tenants are told when, and nobody stays longer.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Stack, Tenant};

const LIMIT: Duration = Duration::from_mins(3);

async fn active(stack: &Stack, tenant: &Tenant) -> String {
    let made = tenant.create_allocation(stack, 1).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    made["resource"]["id"].as_str().expect("an id").to_owned()
}

async fn extended(tenant: &Tenant, id: &str, seconds: u32) -> Value {
    let path = format!("/api/v1/allocations/{id}:extend");
    let wish = json!({ "lease_seconds": seconds });
    let extended = tenant.api.post(&path, &wish).await.expect(202);
    tenant.api.finished(&extended, LIMIT).await
}

async fn released(tenant: &Tenant, id: &str) {
    let path = format!("/api/v1/allocations/{id}");
    let release = tenant.api.delete(&path).await.expect(202);
    tenant.api.finished(&release, LIMIT).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_tells_its_tenants_and_is_in_maintenance_once_they_have_left() {
    let stack = Stack::own(1).await;
    let tenant = Tenant::new(&stack).await;
    let node = stack.nodes().await.swap_remove(0);
    let path = format!(
        "/api/v1/admin/nodes/{}",
        node["id"].as_str().expect("an id")
    );
    let drain = format!("{path}:drain");
    let (first, second) = (active(&stack, &tenant).await, active(&stack, &tenant).await);

    let past = json!({"reason": "new fans", "starts_at": "2020-01-01T00:00:00Z"});
    stack
        .admin()
        .post(&drain, &past)
        .await
        .problem(422, "invalid_request");
    let (ends_at,): (String,) = sqlx::query_as(
        "select to_char(lease_ends_at + interval '10 minutes', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
         from allocations where id = $1::uuid",
    )
    .bind(first.rsplit('_').next().expect("an id"))
    .fetch_one(&stack.database().await)
    .await
    .expect("its lease");
    let wish = json!({"reason": "new fans", "starts_at": ends_at});
    tenant
        .api
        .post(&drain, &wish)
        .await
        .problem(403, "forbidden");
    let drained = stack.admin().post(&drain, &wish).await.expect(200);
    assert_eq!(
        (&drained["state"], &drained["maintenance_at"]),
        (&json!("draining"), &json!(ends_at))
    );
    for id in [&first, &second] {
        let allocation = tenant.allocation(id).await;
        assert_eq!(allocation["state"], "active", "{allocation}");
        let told = &allocation["conditions"][0];
        assert_eq!(
            (&told["type"], &told["since"]),
            (&json!("maintenance_planned"), &json!(ends_at))
        );
        let events = tenant
            .api
            .get(&format!("/api/v1/allocations/{id}/events"))
            .await
            .text;
        assert!(
            events.contains("allocation.maintenance_planned"),
            "{events}"
        );
    }

    // Until then, and no longer; and nobody comes.
    let within = extended(&tenant, &first, 60).await;
    assert_eq!(within["state"], "succeeded", "{within}");
    let beyond = extended(&tenant, &first, 3_600).await;
    assert_eq!(beyond["error"]["code"], "maintenance_planned", "{beyond}");
    let made = tenant.create_allocation(&stack, 1).await.expect(202);
    let third = made["resource"]["id"].as_str().expect("an id");
    tenant.api.allocation_in(third, &["queued"], LIMIT).await;

    released(&tenant, &first).await;
    let still = stack.admin().get(&path).await.expect(200);
    assert_eq!(still["state"], "draining", "{still}");
    released(&tenant, &second).await;
    let empty = stack.admin().get(&path).await.expect(200);
    assert_eq!(
        (&empty["state"], &empty["state_reason"]),
        (&json!("maintenance"), &json!("drained"))
    );
    assert_eq!(tenant.allocation(third).await["state"], "queued");

    let back = stack
        .admin()
        .post(&format!("{path}:uncordon"), &json!({}))
        .await
        .expect(202);
    let back = stack.admin().finished(&back, LIMIT).await;
    assert_eq!(back["state"], "succeeded", "{back}");
    tenant.api.allocation_in(third, &["active"], LIMIT).await;
    let node = stack.admin().get(&path).await.expect(200);
    assert_eq!(
        (&node["state"], &node["maintenance_at"]),
        (&json!("available"), &Value::Null)
    );
    released(&tenant, third).await;
    let id = node["id"].as_str().expect("an id");
    let at_once = ["node", "drain", id, "--reason", "sold"];
    assert!(stack.berth(&at_once).await.status.success());
    let empty = stack.admin().get(&path).await.expect(200);
    assert_eq!(empty["state"], "maintenance", "{empty}");
}
