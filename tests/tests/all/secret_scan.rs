//! XC-01, invariant 8: after callers have shown the system every kind of secret, rightly and by
//! mistake, none of them is at rest anywhere: not in a table or the files behind it, a workflow's
//! history, an event, Redis, or a log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::TryStreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row as _;
use tests::scan::{Scanner, Secrets};
use tests::{Stack, Tenant, stack};

use crate::idle;

const LIMIT: Duration = Duration::from_mins(2);

/// A text that nothing else holds, with signs that encodings differ about.
fn marker() -> String {
    let random: u128 = rand::random();
    format!("Mk/{random:032x}+=&~")
}

fn data(stack: &Stack) -> PathBuf {
    let pids = Path::new(stack.env("BERTH_PIDS_DIR"));
    pids.parent().expect("the data folder").to_path_buf()
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

/// What the installation itself must keep: its keys on disk and its passwords.
fn own_secrets(stack: &Stack, secrets: &mut Secrets) {
    secrets.add("the operator's key", stack.env("BERTH_ADMIN_KEY"));
    secrets.add("the owner's key", stack.env("BERTH_API_KEY"));
    for entry in std::fs::read_dir(data(stack).join("keyring")).expect("the keyring") {
        let path = entry.expect("a key").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|kind| kind == "pub") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a key");
        for line in text.split(['\n', '"']).filter(|part| part.len() >= 40) {
            if line.starts_with("-----") {
                continue;
            }
            secrets.add(&format!("{name} of the keyring"), line);
            if let Ok(bytes) = BASE64_STANDARD.decode(line) {
                secrets.add(&format!("{name} of the keyring, decoded"), bytes);
            }
        }
    }
    let memory = std::fs::read(data(stack).join("stack.json")).expect("the stack's memory");
    let memory: Value = serde_json::from_slice(&memory).expect("JSON");
    for (role, password) in memory["passwords"].as_object().expect("passwords") {
        let password = password.as_str().expect("a password");
        secrets.add(&format!("the password of {role}"), password);
    }
}

/// Every row of every table, as text; `bytea` shows as hexadecimal.
async fn tables(stack: &Stack, scanner: &Scanner) -> Vec<String> {
    let database = stack.database().await;
    let names: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables
         where table_schema = 'public' and table_type = 'BASE TABLE'",
    )
    .fetch_all(&database)
    .await
    .expect("tables");
    assert!(names.len() > 20, "{names:?}");
    let mut found = Vec::new();
    for table in names {
        let sql = sqlx::AssertSqlSafe(format!("select t::text from \"{table}\" t"));
        let mut rows = sqlx::query(sql).fetch(&database);
        while let Some(row) = rows.try_next().await.expect("a row") {
            let text: String = row.get(0);
            found.extend(scanner.scan(&table, text.as_bytes()));
        }
    }
    found
}

/// Every key and value in Redis, as Redis itself would store it.
async fn redis(stack: &Stack, scanner: &Scanner) -> Vec<String> {
    let client = redis::Client::open(stack.env("REDIS_URL")).expect("an address");
    let mut redis = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers");
    let keys: Vec<Vec<u8>> = redis::cmd("KEYS")
        .arg("*")
        .query_async(&mut redis)
        .await
        .expect("keys");
    let mut found = Vec::new();
    for key in keys {
        found.extend(scanner.scan("a key in Redis", &key));
        let value: Option<Vec<u8>> = redis::cmd("DUMP")
            .arg(&key)
            .query_async(&mut redis)
            .await
            .expect("a value");
        found.extend(scanner.scan("a value in Redis", &value.unwrap_or_default()));
    }
    found
}

/// How the stack's processes were called.
fn arguments(stack: &Stack, scanner: &Scanner) -> Vec<String> {
    let pids = std::fs::read_dir(stack.env("BERTH_PIDS_DIR")).expect("pid files");
    let mut found = Vec::new();
    for entry in pids.filter_map(Result::ok) {
        let pid = std::fs::read_to_string(entry.path()).unwrap_or_default();
        let words = std::fs::read(format!("/proc/{}/cmdline", pid.trim())).unwrap_or_default();
        let place = format!("the arguments of {}", entry.file_name().to_string_lossy());
        found.extend(scanner.scan(&place, &words));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn xc_01_no_secret_is_at_rest() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let mut secrets = Secrets::default();
    issue_keys(&tenant, &mut secrets).await;
    show_credentials(&tenant, &mut secrets).await;
    spoil_bodies(stack, &tenant, &mut secrets).await;
    own_secrets(stack, &mut secrets);

    // One whole life, with something in it that is no secret: it must be found, or the scan is blind.
    let mut body = idle::hasty(stack, &tenant).await;
    let visible = marker();
    body["name"] = json!(visible);
    let operation = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    tenant.api.finished(&operation, LIMIT).await;
    let mut control = Secrets::default();
    control.add("the name", &visible);
    let id = operation["resource"]["id"].as_str().expect("an id");
    control.add("the id", id);
    let request = tenant
        .api
        .request(Method::GET, "/api/v1/nowhere")
        .header("x-request-id", id);
    tenant.api.send(request).await;

    let scanner = control.scanner();
    assert!(!tables(stack, &scanner).await.is_empty());
    let servers = ["postgres", "nats", "temporal", "log"];
    for server in servers {
        let waited_for = format!("{server} holds it");
        tests::eventually(&waited_for, LIMIT, || async {
            let found = scanner.scan_folder(&data(stack).join(server));
            (!found.is_empty()).then_some(())
        })
        .await;
    }

    assert!(secrets.len() >= 20, "{}", secrets.len());
    let scanner = secrets.scanner();
    let mut found = tables(stack, &scanner).await;
    found.extend(redis(stack, &scanner).await);
    found.extend(arguments(stack, &scanner));
    for server in servers.iter().chain(&["redis"]) {
        found.extend(scanner.scan_folder(&data(stack).join(server)));
    }
    assert!(found.is_empty(), "{found:#?}");
}
