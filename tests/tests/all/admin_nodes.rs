//! Machines as operators announce them: what the guard refuses never becomes a row, and no answer
//! tells why it was refused.

use std::time::Instant;

use serde_json::{Value, json};
use tests::shell::KeyPair;
use tests::{Stack, stack};

async fn announced(stack: &Stack, name: &str, host: &str) -> Value {
    json!({
        "name": name,
        "sku": stack.env("BERTH_SKU"),
        "host": host,
        "host_key": KeyPair::generate().await.public,
        "expected_gpu_count": 8,
    })
}

/// An address in the nodes' own network where nothing is.
async fn nowhere(stack: &Stack) -> String {
    let nodes = stack.nodes().await;
    let host = nodes[0]["host"].as_str().expect("a host");
    let (network, _) = host.rsplit_once('.').expect("an IPv4 address");
    format!("{network}.250")
}

fn fresh_name() -> String {
    format!("t-{}", db::id::fresh::<uuid::Uuid>().simple())
}

async fn nodes_named(stack: &Stack, name: &str) -> i64 {
    sqlx::query_scalar("select count(*) from nodes where name = $1")
        .bind(name)
        .fetch_one(&stack.database().await)
        .await
        .expect("the database counts")
}

/// One target of every class that the guard knows.
const DENIED: &[&str] = &[
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "::1",
    "::ffff:127.0.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "224.0.0.1",
    "255.255.255.255",
    "fe80::1",
    "2002:7f00:1::",
    "8.8.8.8",
    "192.0.2.1",
    "localhost",
    "metadata.google.internal",
    "http://10.0.0.1",
    "user@10.0.0.1",
    "10.0.0.1/",
    "a b",
    "",
];

#[tokio::test(flavor = "multi_thread")]
async fn ssrf_06_refused_targets_look_the_same_and_leave_nothing() {
    let stack = stack().await;
    let (admin, name) = (stack.admin(), fresh_name());
    let mut texts = Vec::new();
    let mut fastest = f64::MAX;
    for host in DENIED {
        let body = announced(stack, &name, host).await;
        let asked = Instant::now();
        let answer = admin.post("/api/v1/admin/nodes", &body).await;
        fastest = fastest.min(asked.elapsed().as_secs_f64());
        let mut problem = answer.problem(400, "probe_target_denied");
        problem["request_id"] = Value::Null;
        assert!(
            !host.contains('.') || !answer.text.contains(host),
            "{}",
            answer.text
        );
        texts.push(problem.to_string());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        fastest >= 0.2,
        "a refusal came after {fastest} s: its class shows"
    );
    let mut body = announced(stack, &name, &nowhere(stack).await).await;
    body["port"] = json!(8080);
    admin
        .post("/api/v1/admin/nodes", &body)
        .await
        .problem(400, "probe_target_denied");
    assert_eq!(nodes_named(stack, &name).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ssrf_05_an_address_edited_in_the_table_is_judged_again() {
    let stack = stack().await;
    let (admin, name) = (stack.admin(), fresh_name());
    let body = announced(stack, &name, &nowhere(stack).await).await;
    let operation = admin.post("/api/v1/admin/nodes", &body).await.expect(202);
    assert_eq!(operation["kind"], "node.enroll");
    assert_eq!(operation["resource"]["kind"], "node");
    let id = operation["resource"]["id"].as_str().expect("an id");
    let path = format!("/api/v1/admin/nodes/{id}");
    let database = stack.database().await;
    let row: domain::id::NodeId = id.parse().expect("an id");
    sqlx::query("update nodes set host = '127.0.0.1' where id = $1")
        .bind(row.uuid())
        .execute(&database)
        .await
        .expect("a tampered row");
    let done = admin
        .finished(&operation, std::time::Duration::from_mins(3))
        .await;
    assert_eq!(done["state"], "failed", "{done}");
    assert_eq!(done["error"]["code"], "probe_target_denied", "{done}");
    assert_eq!(admin.get(&path).await.expect(200)["state"], "quarantined");
    admin
        .post(&format!("{path}:probe"), &Value::Null)
        .await
        .problem(400, "probe_target_denied");
    let reports = admin
        .get(&format!("{path}/probe-reports"))
        .await
        .expect(200);
    assert!(reports["items"].is_array());
    sqlx::query("update nodes set state = 'retired' where id = $1")
        .bind(row.uuid())
        .execute(&database)
        .await
        .expect("out of the way");
    admin
        .post(&format!("{path}:probe"), &Value::Null)
        .await
        .problem(409, "conflict");
    for statement in [
        "delete from probe_reports where node_id = $1",
        "delete from nodes where id = $1",
    ] {
        sqlx::query(statement)
            .bind(row.uuid())
            .execute(&database)
            .await
            .expect("others count nodes");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unsound_nodes_are_refused() {
    let stack = stack().await;
    let (admin, name) = (stack.admin(), fresh_name());
    let invalid = "invalid_request";
    let nowhere = nowhere(stack).await;
    for (member, value, status, code) in [
        ("name", json!("Über"), 422, invalid),
        ("name", json!(""), 422, invalid),
        ("name", json!("-a"), 422, invalid),
        ("sku", json!("no-such-sku"), 422, "unknown_sku"),
        ("port", json!(0), 400, "probe_target_denied"),
        ("port", json!(65_536), 422, invalid),
        ("host_key", json!("ssh-ed25519 AAAA"), 422, invalid),
        ("host_key", json!(""), 422, invalid),
        ("expected_gpu_count", json!(0), 422, invalid),
        ("expected_gpu_count", json!(65), 422, invalid),
        ("expected_driver_version", json!("a;b"), 422, invalid),
        ("state", json!("available"), 422, invalid),
    ] {
        let mut body = announced(stack, &name, &nowhere).await;
        body[member] = value;
        let answer = admin.post("/api/v1/admin/nodes", &body).await;
        answer.problem(status, code);
    }
    assert_eq!(nodes_named(stack, &name).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_do_not_see_the_machine_room() {
    let stack = stack().await;
    let tenant = tests::Tenant::new(stack).await;
    for path in [
        "/api/v1/admin/nodes",
        "/api/v1/admin/operations?stuck=true",
        "/api/v1/admin/dead-letters",
        "/api/v1/internal/stats",
    ] {
        tenant.api.get(path).await.problem(403, "forbidden");
        stack.admin().get(path).await.expect(200);
    }
    let node = &stack.nodes().await[0];
    assert!(
        node["host_key"].is_string() && node["gpus"].is_array(),
        "{node}"
    );
    let stats = stack
        .admin()
        .get("/api/v1/internal/stats")
        .await
        .expect(200);
    assert!(stats["nodes"]["available"].as_i64() >= Some(1), "{stats}");
}
