//! What must be refused: each with its problem code, and nothing made of it.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;
use tests::shell::KeyPair;
use tests::{Answer, Stack, Tenant, stack};

use crate::idle::hasty;

/// Rows that a request could leave behind, counted for one organization.
async fn rows(database: &PgPool, tenant: &Tenant) -> Vec<(String, i64)> {
    let org: domain::id::OrgId = tenant.org_id.parse().expect("an id");
    sqlx::query_as(
        "select 'allocations', count(*) from allocations where org_id = $1
         union all select 'operations', count(*) from operations where org_id = $1
         union all select 'workflow_intents', count(*) from workflow_intents where org_id = $1
         union all select 'outbox_events', count(*) from outbox_events where org_id = $1
         union all select 'idempotency_keys', count(*) from idempotency_keys where org_id = $1
         union all select 'ssh_keys', count(*) from ssh_keys where org_id = $1
         order by 1",
    )
    .bind(org.uuid())
    .fetch_all(database)
    .await
    .expect("the database counts")
}

/// A request body with one member put in, or taken out by `null`.
fn spoilt(stack: &Stack, tenant: &Tenant, member: &str, value: Value) -> Value {
    let mut body = tenant.allocation_body(stack, 1);
    match value {
        Value::Null => {
            body.as_object_mut().expect("an object").remove(member);
        }
        value => body[member] = value,
    }
    body
}

#[track_caller]
fn points_at(answer: &Answer, status: u16, code: &str, pointer: &str) {
    let problem = answer.problem(status, code);
    assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
}

#[expect(clippy::too_many_lines, reason = "one table of cases")]
#[tokio::test(flavor = "multi_thread")]
async fn unsound_allocations_are_refused_and_leave_nothing() {
    let stack = stack().await;
    let (tenant, other) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let database = stack.database().await;
    let before = rows(&database, &tenant).await;
    let unknown_key = "sshkey_00000000000070008000000000000001";
    let many = vec![json!(tenant.ssh_key_id); 2];
    let invalid = "invalid_request";
    let cases = [
        ("sku", json!("no-such-sku"), 422, "unknown_sku", "/sku"),
        ("sku", json!("'; drop table"), 422, "unknown_sku", "/sku"),
        ("sku", json!(7), 422, invalid, "/sku"),
        ("gpu_count", json!(0), 422, invalid, "/gpu_count"),
        ("gpu_count", json!(-1), 422, invalid, "/gpu_count"),
        ("gpu_count", json!(9), 422, invalid, "/gpu_count"),
        ("gpu_count", json!(1_i64 << 50), 422, invalid, "/gpu_count"),
        ("gpu_count", json!(1.5), 422, invalid, "/gpu_count"),
        ("gpu_count", json!("1"), 422, invalid, "/gpu_count"),
        ("gpu_count", json!(null), 422, invalid, ""),
        ("node_count", json!(2), 422, "not_supported", "/node_count"),
        ("node_count", json!(0), 422, invalid, "/node_count"),
        (
            "scheduler_request",
            json!("queue a"),
            422,
            invalid,
            "/scheduler_request",
        ),
        (
            "project_id",
            json!(other.project_id),
            404,
            "not_found",
            "/project_id",
        ),
        ("project_id", json!("proj_1"), 422, invalid, "/project_id"),
        (
            "project_id",
            json!(tenant.org_id),
            422,
            invalid,
            "/project_id",
        ),
        ("project_id", json!(null), 422, invalid, ""),
        ("name", json!(""), 422, invalid, "/name"),
        ("name", json!("x".repeat(129)), 422, invalid, "/name"),
        ("name", json!("a\u{0}b"), 422, invalid, "/name"),
        ("ssh_key_ids", json!([]), 422, invalid, "/ssh_key_ids"),
        (
            "ssh_key_ids",
            json!([other.ssh_key_id]),
            404,
            "not_found",
            "/ssh_key_ids/0",
        ),
        (
            "ssh_key_ids",
            json!([tenant.ssh_key_id, unknown_key]),
            404,
            "not_found",
            "/ssh_key_ids/1",
        ),
        ("ssh_key_ids", json!(many), 422, invalid, "/ssh_key_ids/1"),
        ("ssh_key_ids", json!(null), 422, invalid, ""),
        ("lease_seconds", json!(0), 422, invalid, "/lease_seconds"),
        (
            "lease_seconds",
            json!(1_i64 << 50),
            422,
            invalid,
            "/lease_seconds",
        ),
        (
            "queue_timeout_seconds",
            json!(-1),
            422,
            invalid,
            "/queue_timeout_seconds",
        ),
        (
            "queue_timeout_seconds",
            json!(10_000_000),
            422,
            invalid,
            "/queue_timeout_seconds",
        ),
        ("labels", json!({"": "x"}), 422, invalid, "/labels/"),
        (
            "labels",
            json!({"team": "x".repeat(64)}),
            422,
            invalid,
            "/labels/team",
        ),
        ("labels", json!({"team": 1}), 422, invalid, "/labels/team"),
        ("gpus", json!(1), 422, invalid, "/gpus"),
        ("state", json!("active"), 422, invalid, "/state"),
    ];
    for (member, value, status, code, pointer) in cases {
        let body = spoilt(stack, &tenant, member, value);
        let answer = tenant.api.post("/api/v1/allocations", &body).await;
        points_at(&answer, status, code, pointer);
    }
    assert_eq!(rows(&database, &tenant).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_bodies_are_refused_and_leave_nothing() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let database = stack.database().await;
    let before = rows(&database, &tenant).await;
    let send = async |content_type: &'static str, body: Vec<u8>| {
        let request = tenant
            .api
            .request(Method::POST, "/api/v1/allocations")
            .header("idempotency-key", "unreadable")
            .header("content-type", content_type)
            .body(body);
        tenant.api.send(request).await
    };
    for text in ["{", "{\"name\": }", "nul", "", "{}{}"] {
        send("application/json", text.into())
            .await
            .problem(400, "malformed_json");
    }
    let deep = "[".repeat(100) + &"]".repeat(100);
    send("application/json", deep.into())
        .await
        .problem(400, "malformed_json");
    send("application/json", "[]".into())
        .await
        .problem(422, "invalid_request");
    send("text/plain", "{}".into())
        .await
        .problem(415, "unsupported_media_type");
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(2 << 20));
    send("application/json", large.into())
        .await
        .problem(413, "body_too_large");
    assert_eq!(rows(&database, &tenant).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_01_and_idm_03_keys_missing_unsound_or_used_for_something_else() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = hasty(stack, &tenant).await;
    let without = tenant.api.request(Method::POST, "/api/v1/allocations");
    tenant
        .api
        .send(without.json(&body))
        .await
        .problem(400, "idempotency_key_required");
    for unsound in ["", "a b", &"k".repeat(256)] {
        tenant
            .api
            .post_as(unsound, "/api/v1/allocations", &body)
            .await
            .problem(400, "idempotency_key_invalid");
    }
    let key = "one-key";
    let first = tenant
        .api
        .post_as(key, "/api/v1/allocations", &body)
        .await
        .expect(202);
    let mut other = body.clone();
    other["gpu_count"] = json!(2);
    tenant
        .api
        .post_as(key, "/api/v1/allocations", &other)
        .await
        .problem(422, "idempotency_key_reused");
    let again = tenant.api.post_as(key, "/api/v1/allocations", &body).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(202)["id"], first["id"]);
    let page = tenant.api.get("/api/v1/allocations").await.expect(200);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn page_tokens_limits_and_filters_that_mean_nothing() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let long = "A".repeat(4000);
    for token in ["x", "%00", "-1", "eyJpZCI6MX0", "../../etc/passwd", &long] {
        let path = format!("/api/v1/allocations?page_token={token}");
        tenant
            .api
            .get(&path)
            .await
            .problem(400, "invalid_page_token");
    }
    for query in [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "state=gone",
        "label=",
        "label=a%20b",
        "project_id=org_1",
    ] {
        let path = format!("/api/v1/allocations?{query}");
        tenant.api.get(&path).await.problem(400, "invalid_query");
    }
    for path in [
        "/api/v1/allocations/alloc_1",
        "/api/v1/operations/x",
        "/api/v1/nothing",
    ] {
        tenant.api.get(path).await.problem(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_01_public_keys_that_are_none() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let database = stack.database().await;
    let before = rows(&database, &tenant).await;
    let sound = KeyPair::generate().await.public;
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n";
    let weak_rsa = ssh_rsa(1024);
    for text in [
        String::new(),
        "garbage".to_owned(),
        "ssh-ed25519 AAAA".to_owned(),
        format!("{sound}\nssh-ed25519 AAAA"),
        format!("{sound}\r\n{sound}"),
        format!("{sound}\0"),
        format!("command=\"id\" {sound}"),
        "ssh-dss AAAAB3NzaC1kc3MAAACBAP".to_owned(),
        weak_rsa,
        private.to_owned(),
        "A".repeat(9000),
    ] {
        let wish = json!({"name": "laptop", "public_key": text});
        let answer = tenant.api.post("/api/v1/ssh-keys", &wish).await;
        let problem = answer.expect(422);
        assert_eq!(
            problem["errors"][0]["pointer"], "/public_key",
            "{text}: {problem}"
        );
        assert!(text.len() < 20 || !answer.text.contains(&text), "{text}");
    }
    assert_eq!(rows(&database, &tenant).await, before);
}

/// A public RSA key of that many bits; the modulus is any odd number.
fn ssh_rsa(bits: usize) -> String {
    use base64::Engine;
    let mut blob = Vec::new();
    let mut field = |bytes: &[u8]| {
        blob.extend(u32::try_from(bytes.len()).expect("short").to_be_bytes());
        blob.extend(bytes);
    };
    field(b"ssh-rsa");
    field(&[1, 0, 1]);
    let mut modulus = vec![0];
    modulus.extend(vec![0xc5; bits / 8]);
    field(&modulus);
    format!("ssh-rsa {}", base64::prelude::BASE64_STANDARD.encode(blob))
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_01_keys_that_open_nothing() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let database = stack.database().await;
    let path = "/api/v1/allocations";
    stack
        .api(None)
        .get(path)
        .await
        .problem(401, "credentials_required");
    let mistyped = tenant.key.replace("berth_", "berth_x");
    for key in ["berth_x", "Basic", mistyped.as_str()] {
        stack
            .api(Some(key))
            .get(path)
            .await
            .problem(401, "invalid_credentials");
    }
    for (change, code) in [
        ("expires_at = created_at", "credentials_expired"),
        (
            "expires_at = created_at + interval '1 day', revoked_at = created_at",
            "credentials_revoked",
        ),
    ] {
        let user: domain::id::UserId = tenant.user_id.parse().expect("an id");
        sqlx::query(sqlx::AssertSqlSafe(format!(
            "update api_keys set {change} where user_id = $1"
        )))
        .bind(user.uuid())
        .execute(&database)
        .await
        .expect("the key changes");
        let body = tenant.allocation_body(stack, 1);
        tenant.api.post(path, &body).await.problem(401, code);
    }
}
