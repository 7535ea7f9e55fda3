//! Waiting for capacity, leases that end, and a crowd that wants the same GPUs.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Tenant, rough_stack};

const LIMIT: Duration = Duration::from_mins(4);

fn id(operation: &Value) -> String {
    operation["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_will_not_wait_fails_and_who_waits_gets_what_comes_free() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    let mut holders = Vec::new();
    for _ in 0..3 {
        let operation = tenant.create_allocation(&stack, 8).await.expect(202);
        assert_eq!(
            tenant.api.finished(&operation, LIMIT).await["state"],
            "succeeded"
        );
        holders.push(id(&operation));
    }
    let body = |wish: Value| {
        let mut body = tenant.allocation_body(&stack, 8);
        body["queue_timeout_seconds"] = wish;
        body
    };
    let hasty = tenant
        .api
        .post("/api/v1/allocations", &body(json!(0)))
        .await
        .expect(202);
    let done = tenant.api.finished(&hasty, LIMIT).await;
    assert_eq!(done["state"], "failed");
    assert_eq!(done["error"]["code"], "no_capacity", "{done}");
    assert_eq!(tenant.allocation(&id(&hasty)).await["state"], "failed");
    stack
        .record(
            "allocation_no_capacity",
            &format!("allocation/{}", id(&hasty)),
        )
        .await;

    let late = tenant
        .api
        .post("/api/v1/allocations", &body(json!(2)))
        .await
        .expect(202);
    let done = tenant.api.finished(&late, LIMIT).await;
    assert_eq!(done["error"]["code"], "no_capacity", "{done}");
    stack
        .record(
            "allocation_queue_deadline",
            &format!("allocation/{}", id(&late)),
        )
        .await;

    let patient = tenant.create_allocation(&stack, 8).await.expect(202);
    tenant
        .api
        .allocation_in(&id(&patient), &["queued"], LIMIT)
        .await;
    let first = tenant
        .api
        .delete(&format!("/api/v1/allocations/{}", holders[0]))
        .await
        .expect(202);
    assert_eq!(
        tenant.api.finished(&first, LIMIT).await["state"],
        "succeeded"
    );
    assert_eq!(
        tenant.api.finished(&patient, LIMIT).await["state"],
        "succeeded"
    );
    stack
        .record("allocation_waited", &format!("allocation/{}", id(&patient)))
        .await;
    for holder in holders.iter().skip(1).chain([&id(&patient)]) {
        let release = tenant
            .api
            .delete(&format!("/api/v1/allocations/{holder}"))
            .await
            .expect(202);
        assert_eq!(
            tenant.api.finished(&release, LIMIT).await["state"],
            "succeeded"
        );
        stack.assert_clean(holder).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_extended_and_ends_by_itself() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    let mut body = tenant.allocation_body(&stack, 1);
    body["lease_seconds"] = json!(60);
    let operation = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    assert_eq!(
        tenant.api.finished(&operation, LIMIT).await["state"],
        "succeeded"
    );
    let path = format!("/api/v1/allocations/{}", id(&operation));
    let before = tenant.allocation(&id(&operation)).await["lease_ends_at"].clone();
    let wish = json!({"lease_seconds": 3600});
    let extend = tenant
        .api
        .post(&format!("{path}:extend"), &wish)
        .await
        .expect(202);
    let done = tenant.api.finished(&extend, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let after = tenant.allocation(&id(&operation)).await["lease_ends_at"].clone();
    assert!(after.as_str() > before.as_str(), "{before} {after}");
    let release = tenant.api.delete(&path).await.expect(202);
    assert_eq!(
        tenant.api.finished(&release, LIMIT).await["state"],
        "succeeded"
    );
    stack
        .record(
            "allocation_extended",
            &format!("allocation/{}", id(&operation)),
        )
        .await;

    body["lease_seconds"] = json!(3);
    let operation = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    assert_eq!(
        tenant.api.finished(&operation, LIMIT).await["state"],
        "succeeded"
    );
    let ended = tenant
        .api
        .allocation_in(&id(&operation), &["released"], LIMIT)
        .await;
    assert_eq!(ended["state_reason"], "lease_expired");
    stack
        .record(
            "allocation_lease_ended",
            &format!("allocation/{}", id(&operation)),
        )
        .await;
    stack.assert_clean(&id(&operation)).await;
}

/// Sixty at once for 24 GPUs: no GPU twice; the rest wait or fail as they asked.
#[tokio::test(flavor = "multi_thread")]
async fn sixty_over_http_for_twenty_four_gpus() {
    let stack = rough_stack().await;
    let tenant = std::sync::Arc::new(Tenant::new(&stack).await);
    let mut calls = tokio::task::JoinSet::new();
    for n in 0..60 {
        let (tenant, mut body) = (tenant.clone(), tenant.allocation_body(&stack, 1));
        // Every other one is not willing to wait.
        let waits = n % 2 == 0;
        body["queue_timeout_seconds"] = json!(if waits { 3600 } else { 0 });
        calls.spawn(async move {
            (
                waits,
                tenant
                    .api
                    .post("/api/v1/allocations", &body)
                    .await
                    .expect(202),
            )
        });
    }
    let mut queued = Vec::new();
    let mut all = Vec::new();
    for (waits, operation) in calls.join_all().await {
        let wanted: &[&str] = if waits {
            &["queued", "active"]
        } else {
            &["active", "failed"]
        };
        let settled = tenant
            .api
            .allocation_in(&id(&operation), wanted, LIMIT)
            .await;
        if settled["state"] == "failed" {
            assert_eq!(settled["state_reason"], "no_capacity");
        } else {
            all.push(id(&operation));
        }
        if waits {
            queued.push(id(&operation));
        }
    }
    assert_eq!(stack.double_holds().await, 0);
    // Those who wait give up their place when they are deleted; those who hold give back.
    let mut releases = Vec::new();
    for allocation in all.iter().rev() {
        releases.push(
            tenant
                .api
                .delete(&format!("/api/v1/allocations/{allocation}"))
                .await
                .expect(202),
        );
    }
    for release in releases {
        assert_eq!(
            tenant.api.finished(&release, LIMIT).await["state"],
            "succeeded"
        );
    }
    assert_eq!(stack.double_holds().await, 0);
    assert_eq!(stack.gpus_not_free().await, 0);
}
