//! RL-04: what a caller is told.

use std::time::Duration;

use serde_json::json;
use tests::limits::in_force;
use tests::{Tenant, stack};

use super::told;

const ME: &str = "/api/v1/me";

#[tokio::test(flavor = "multi_thread")]
async fn rl_04_who_calls_too_often_is_told_what_and_when() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    stack.limit("write", &tenant.org_id, 6, 2).await;
    stack.limit("read", &tenant.org_id, 600, 7).await;
    in_force(&tenant.api, "read-principal", 7).await;
    let body = |n: u32| json!({"name": format!("p{n}")});
    for n in 0..2 {
        let answer = tenant.api.post("/api/v1/projects", &body(n)).await;
        answer.expect(201);
        let told = told(&answer);
        assert_eq!(
            told.keys().map(String::as_str).collect::<Vec<_>>(),
            ["write-organization", "write-principal"]
        );
        let own = told["write-principal"];
        assert_eq!((own.q, own.w, own.r), (2, 20, i64::from(1 - n)), "{own:?}");
        assert!((1..=10).contains(&own.t), "{own:?}");
        assert_eq!(told["write-organization"].q, 20);
    }
    let refused = tenant.api.post("/api/v1/projects", &body(2)).await;
    let problem = refused.problem(429, "rate_limited");
    assert_eq!(problem["violated_policies"], json!(["write-principal"]));
    assert_eq!(problem["retry"], "later");
    let told = told(&refused);
    assert_eq!(told.keys().collect::<Vec<_>>(), ["write-principal"]);
    let wait: i64 = refused.header("retry-after").parse().expect("seconds");
    let own = told["write-principal"];
    assert!(wait >= own.t && own.r == 0 && wait <= 10, "{wait} {own:?}");
    // Other classes have buckets of their own.
    tenant.api.get("/api/v1/projects").await.expect(200);
    // After that time it works: nothing was charged for the refused call.
    tokio::time::sleep(Duration::from_secs(wait.unsigned_abs())).await;
    tenant
        .api
        .post("/api/v1/projects", &body(2))
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn rl_04_an_organization_is_limited_as_a_whole_and_no_other_sees_it() {
    let stack = stack().await;
    let (tenant, stranger) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let mut people = vec![tenant.api.clone()];
    for _ in 0..3 {
        people.push(tenant.colleague(stack, "member").await);
    }
    let path = "/api/v1/admin/policies/rate_limit.organization_factor";
    let scope = json!({"scope": tenant.org_id, "value": 2});
    stack.admin().put(path, &scope).await.expect(200);
    stack.limit("read", &tenant.org_id, 1, 4).await;
    in_force(&tenant.api, "read-organization", 8).await;
    let mut allowed = 0;
    let mut violated = std::collections::BTreeSet::new();
    for person in people.iter().cycle().take(32) {
        let answer = person.get(ME).await;
        if answer.status == 200 {
            allowed += 1;
            continue;
        }
        let problem = answer.problem(429, "rate_limited");
        for name in problem["violated_policies"].as_array().expect("names") {
            violated.insert(name.as_str().expect("a name").to_owned());
        }
    }
    assert!(allowed <= 8 + 1, "{allowed}");
    assert!(violated.contains("read-organization"), "{violated:?}");
    // The other organization calls from the same address, and neither is told of it nor held off.
    let answer = stranger.api.get(ME).await;
    answer.expect(200);
    let told = told(&answer);
    assert_eq!(
        told.keys().map(String::as_str).collect::<Vec<_>>(),
        ["read-organization", "read-principal"]
    );
    let own = told["read-principal"];
    assert_eq!(own.r, own.q - 1, "its first read: {own:?}");
}
