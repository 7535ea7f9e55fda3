//! Who belongs to an organization: given, changed and taken away over the API.

use serde_json::{Value, json};
use tests::{Tenant, stack};

fn members(tenant: &Tenant) -> String {
    format!("/api/v1/organizations/{}/members", tenant.org_id)
}

fn email() -> String {
    let id: uuid::Uuid = db::id::fresh();
    format!("{}@example.test", id.simple())
}

fn person(email: &str, role: &str) -> Value {
    json!({"email": email, "display_name": "New", "role": role})
}

fn id(member: &Value) -> String {
    member["user_id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_change_and_go() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (path, address) = (members(&tenant), email());
    let added = tenant.api.post(&path, &person(&address, "member")).await;
    let added = added.expect(201);
    assert_eq!(added["email"], address.as_str());
    let again = tenant.api.post(&path, &person(&address, "viewer")).await;
    again.problem(409, "conflict");

    let one = format!("{path}/{}", id(&added));
    let shown = tenant.api.get(&one).await;
    assert_eq!(shown.expect(200), added);
    let listed = tenant.api.get(&path).await.expect(200);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(2));
    let change = json!({"role": "admin"});
    let stale = tenant.api.patch(&one, "\"v9\"", &change).await;
    stale.problem(412, "precondition_failed");
    let changed = tenant.api.patch(&one, shown.header("etag"), &change).await;
    assert_eq!(changed.expect(200)["role"], "admin");
    tenant.api.delete(&one).await.expect(204);
    tenant.api.get(&one).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_known_elsewhere_is_the_same_person() {
    let stack = stack().await;
    let (one, other) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let address = email();
    let here = one
        .api
        .post(&members(&one), &person(&address, "viewer"))
        .await;
    let loud = address.to_uppercase();
    let there = other
        .api
        .post(&members(&other), &person(&loud, "viewer"))
        .await;
    assert_eq!(id(&here.expect(201)), id(&there.expect(201)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_above_his_own_role() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let path = members(&tenant);
    let admin = tenant.colleague(stack, "admin").await;
    let refused = admin.post(&path, &person(&email(), "owner")).await;
    refused.problem(403, "forbidden");
    let owner = format!("{path}/{}", tenant.user_id);
    admin.delete(&owner).await.problem(403, "forbidden");
    let demotion = admin.patch(&owner, "*", &json!({"role": "viewer"})).await;
    demotion.problem(403, "forbidden");
    for weak in ["viewer", "member"] {
        let colleague = tenant.colleague(stack, weak).await;
        let refused = colleague.post(&path, &person(&email(), "viewer")).await;
        refused.problem(403, "forbidden");
    }
    for bad in [
        json!({"email": "nobody", "display_name": "x", "role": "viewer"}),
        json!({"email": email(), "display_name": "x", "role": "king"}),
        json!({"email": email(), "role": "viewer"}),
    ] {
        tenant.api.post(&path, &bad).await.expect(422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_keeps_an_owner() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let path = members(&tenant);
    let me = format!("{path}/{}", tenant.user_id);
    tenant.api.delete(&me).await.problem(409, "conflict");
    let demotion = tenant.api.patch(&me, "*", &json!({"role": "admin"})).await;
    demotion.problem(409, "conflict");
    // Two owners who remove each other at once: one of them stays.
    let second = tenant.colleague(stack, "owner").await;
    let listed = tenant.api.get(&path).await.expect(200);
    let other = listed["items"]
        .as_array()
        .and_then(|items| {
            items
                .iter()
                .find(|m| m["user_id"] != tenant.user_id.as_str())
        })
        .map(id)
        .expect("a second owner");
    let other = format!("{path}/{other}");
    let (one, two) = tokio::join!(tenant.api.delete(&other), second.delete(&me));
    let gone = [&one, &two].iter().filter(|a| a.status == 204).count();
    assert_eq!(gone, 1, "{} {}", one.text, two.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_is_refused_at_once() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let colleague = tenant.colleague(stack, "member").await;
    let me = colleague.get("/api/v1/me").await.expect(200);
    let user = me["user"]["id"].as_str().expect("an id");
    let one = format!("{}/{user}", members(&tenant));
    tenant.api.delete(&one).await.expect(204);
    let refused = colleague.get("/api/v1/me").await;
    refused.problem(401, "invalid_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_help_and_strangers_see_nothing() {
    let stack = stack().await;
    let (tenant, stranger) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let path = members(&tenant);
    let added = stack.admin().post(&path, &person(&email(), "owner")).await;
    let one = format!("{path}/{}", id(&added.expect(201)));
    stack.admin().get(&one).await.expect(200);
    for path in [&path, &one] {
        stranger.api.get(path).await.problem(404, "not_found");
    }
    let refused = stranger.api.post(&path, &person(&email(), "viewer")).await;
    refused.problem(404, "not_found");
}
