//! A tenant is told before the lease ends, twice, and once more after an extension.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Tenant, eventually, stack};

const LIMIT: Duration = Duration::from_mins(2);

async fn warnings(tenant: &Tenant, id: &str) -> Vec<Value> {
    let path = format!("/api/v1/allocations/{id}/events?limit=100");
    let events = tenant.api.get(&path).await.expect(200);
    let all = events["items"].as_array().expect("a list").iter();
    all.filter(|event| event["type"] == "berth.provisioning.allocation.lease_ending")
        .cloned()
        .collect()
}

async fn warned(tenant: &Tenant, id: &str, times: usize) -> Vec<Value> {
    eventually(&format!("warning {times}"), LIMIT, || async {
        let given = warnings(tenant, id).await;
        (given.len() == times).then_some(given)
    })
    .await
}

fn is_ending(allocation: &Value) -> bool {
    let conditions = allocation["conditions"].as_array().expect("a list");
    conditions.iter().any(|one| one["type"] == "lease_ending")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_ends_after_two_warnings_and_an_extension_begins_anew() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    // Two and four seconds after the beginning of a lease of an hour.
    for (key, value) in [
        ("allocation.lease_warning_seconds", 3_598),
        ("allocation.lease_last_warning_seconds", 3_596),
    ] {
        let path = format!("/api/v1/admin/policies/{key}");
        let body = json!({"scope": tenant.org_id, "value": value});
        stack.admin().put(&path, &body).await.expect(200);
    }
    let made = tenant.create_allocation(stack, 1).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let id = made["resource"]["id"].as_str().expect("an id");
    let given = warned(&tenant, id, 2).await;
    let allocation = tenant.allocation(id).await;
    assert!(is_ending(&allocation), "{allocation}");
    for event in &given {
        assert_eq!(
            event["data"]["lease_ends_at"], allocation["lease_ends_at"],
            "{event}"
        );
    }
    let shown = stack
        .berth(&["alloc", "get", id, "--api-key", &tenant.key])
        .await;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("lease_ending"), "{shown}");

    let path = format!("/api/v1/allocations/{id}");
    let wish = json!({"lease_seconds": 60});
    let extended = tenant
        .api
        .post(&format!("{path}:extend"), &wish)
        .await
        .expect(202);
    let extended = tenant.api.finished(&extended, LIMIT).await;
    assert_eq!(extended["state"], "succeeded", "{extended}");
    assert!(!is_ending(&tenant.allocation(id).await));
    stack
        .record("allocation_lease_warned", &format!("allocation/{id}"))
        .await;
    let release = tenant.api.delete(&path).await.expect(202);
    tenant.api.finished(&release, LIMIT).await;
    stack.assert_clean(id).await;
}
