//! Secrets that callers are given, and that they show where they do not belong.

use reqwest::Method;
use serde_json::{Value, json};
use tests::scan::Secrets;
use tests::{Stack, Tenant};

use super::marker;

pub(super) async fn everywhere(stack: &Stack, tenant: &Tenant, secrets: &mut Secrets) {
    issue_keys(tenant, secrets).await;
    show_credentials(tenant, secrets).await;
    spoil_requests(tenant, secrets).await;
    spoil_bodies(stack, tenant, secrets).await;
    spoil_orders(stack, secrets).await;
}

/// Keys that are issued, rotated and revoked: each answer shows a secret once.
async fn issue_keys(tenant: &Tenant, secrets: &mut Secrets) {
    let created = tenant
        .api
        .post("/api/v1/api-keys", &json!({"name": "scan"}))
        .await
        .expect(201);
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    secrets.add("an issued API key", text(&created["secret"]));
    let path = format!("/api/v1/api-keys/{}", text(&created["id"]));
    let rotated = tenant
        .api
        .post(&format!("{path}:rotate"), &json!({}))
        .await
        .expect(200);
    let rotated = text(&rotated["secret"]);
    tenant
        .api
        .with_key(Some(&rotated))
        .get("/api/v1/me")
        .await
        .expect(200);
    secrets.add("a rotated API key", &rotated);
    tenant
        .api
        .post(&format!("{path}:revoke"), &json!({}))
        .await
        .expect(200);
    secrets.add("a tenant's own API key", &tenant.key);
}

/// Secrets in headers and addresses where they do not belong.
async fn show_credentials(tenant: &Tenant, secrets: &mut Secrets) {
    let anybody = tenant.api.with_key(None);
    for (name, header) in [
        ("a bearer of no known kind", "Bearer "),
        ("a basic credential", "Basic "),
        ("a bearer with a berth prefix", "Bearer berth_"),
    ] {
        let secret = marker();
        let request = anybody
            .request(Method::GET, "/api/v1/me")
            .header("authorization", format!("{header}{secret}"));
        let answer = anybody.send(request).await;
        assert!(answer.status.is_client_error(), "{name}: {}", answer.text);
        assert!(!answer.text.contains(&secret), "{name}: {}", answer.text);
        secrets.add(name, secret);
    }
    let (cookie, query) = (marker(), marker());
    let request = tenant
        .api
        .request(Method::GET, "/api/v1/me")
        .query(&[("token", &query)])
        .header("cookie", format!("__Host-berth_session={cookie}"));
    tenant.api.send(request).await;
    secrets.add("a cookie", cookie);
    secrets.add("a token in the query", query);
    let token = marker();
    let request = anybody
        .request(Method::POST, "/internal/auth/jwks/refresh")
        .bearer_auth(&token)
        .json(&json!({}));
    anybody.send(request).await;
    secrets.add("a wrong internal token", token);
}

/// Secrets in bodies that are refused.
async fn spoil_bodies(stack: &Stack, tenant: &Tenant, secrets: &mut Secrets) {
    let private = std::fs::read_to_string(&tenant.keys.private).expect("a private key");
    let pasted = json!({"name": "oops", "public_key": private});
    tenant
        .api
        .post("/api/v1/ssh-keys", &pasted)
        .await
        .problem(422, "invalid_public_key");
    let line = private.lines().nth(2).expect("the middle of a key");
    secrets.add("a pasted private key", line);

    let mut unknown_member = tenant.allocation_body(stack, 1);
    let secret = marker();
    unknown_member["password"] = json!(secret);
    secrets.add("an unknown member", &secret);
    tenant
        .api
        .post("/api/v1/allocations", &unknown_member)
        .await
        .expect(422);
    for (name, content_type) in [
        ("a body that is no JSON", "application/json"),
        ("a body of another type", "text/plain"),
    ] {
        let secret = marker();
        let request = tenant
            .api
            .request(Method::POST, "/api/v1/allocations")
            .header("idempotency-key", "scan")
            .header("content-type", content_type)
            .body(format!("{{\"name\": {secret}"));
        let answer = tenant.api.send(request).await;
        assert!(answer.status.is_client_error(), "{name}: {}", answer.text);
        secrets.add(name, secret);
    }
}

/// Secrets in parts of a request that are no body.
async fn spoil_requests(tenant: &Tenant, secrets: &mut Secrets) {
    let get = |path: &str| tenant.api.request(Method::GET, path);
    for (name, header) in [
        ("a request id", "x-request-id"),
        ("an organization's name", "berth-organization"),
        ("a user agent", "user-agent"),
        ("a forwarded address", "x-forwarded-for"),
        ("a referrer", "referer"),
    ] {
        let secret = marker();
        tenant
            .api
            .send(get("/api/v1/me").header(header, &secret))
            .await;
        secrets.add(name, secret);
    }
    let secret = marker();
    let change = tenant.api.request(
        Method::PATCH,
        &format!("/api/v1/projects/{}", tenant.project_id),
    );
    let change = change
        .header("if-match", &secret)
        .json(&json!({"name": "x"}));
    tenant.api.send(change).await;
    secrets.add("a version that a change was decided on", secret);
    for (name, query) in [
        ("a page token", "page_token"),
        ("an unknown parameter", "password"),
    ] {
        let secret = marker();
        let request = get("/api/v1/projects").query(&[(query, &secret)]);
        tenant.api.send(request).await;
        secrets.add(name, secret);
    }
    // In a path only what a path may hold.
    let secret = format!("{:032x}", rand::random::<u128>());
    for path in ["/api/v1/allocations/", "/api/v1/nowhere/"] {
        tenant.api.get(&format!("{path}{secret}")).await.expect(404);
    }
    secrets.add("a path", secret);
}

/// Secrets in what operators write by mistake, each refused.
async fn spoil_orders(stack: &Stack, secrets: &mut Secrets) {
    let admin = stack.admin();
    let mut refused = async |name: &str, path: &str, body: &dyn Fn(&str) -> Value| {
        let secret = marker();
        let answer = admin.post(path, &body(&secret)).await;
        assert!(answer.status.is_client_error(), "{name}: {}", answer.text);
        secrets.add(name, secret);
    };
    refused(
        "a node's password",
        "/api/v1/admin/nodes",
        &|secret| json!({"name": "n", "host": format!("root:{secret}@10.0.0.1"), "port": 22}),
    )
    .await;
    refused(
        "a node's own key",
        "/api/v1/admin/nodes",
        &|secret| json!({"name": "n", "host": "10.0.0.1", "host_key": secret}),
    )
    .await;
    let rules = "/api/v1/admin/authorization-policies";
    refused(
        "a rule that is none",
        rules,
        &|secret| json!({"policy": format!("permit ({secret});")}),
    )
    .await;
    refused(
        "an identity's secret",
        "/api/v1/admin/identities",
        &|secret| json!({"issuer": "https://id.example", "subject": "s", "user_id": secret}),
    )
    .await;
    let secret = marker();
    let path = "/api/v1/admin/policies/policy.poll_seconds";
    let answer = admin
        .put(path, &json!({"scope": "platform", "value": secret}))
        .await;
    answer.expect(422);
    secrets.add("a policy's value", secret);
    let secret = marker();
    let payload = json!({"payloads": [{"data": secret}]});
    let answer = admin.post("/internal/codec/decode", &payload).await;
    assert!(answer.status.is_client_error() || answer.status.is_success());
    secrets.add("a payload to be opened", secret);
}
