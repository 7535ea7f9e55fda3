//! XC-01, invariant 8: after callers have shown the system every kind of secret, rightly and by
//! mistake, none of them is at rest anywhere: not in a table or the files behind it, a workflow's
//! history, an event, Redis, or a log.

mod installation;
mod login;
mod shown;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::TryStreamExt as _;
use reqwest::Method;
use serde_json::json;
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
    shown::everywhere(stack, &tenant, &mut secrets).await;
    login::through_a_browser(stack, &tenant, &mut secrets).await;
    login::tickets(stack, &tenant, &mut secrets).await;
    installation::its_own(stack, &mut secrets);
    let mut found = installation::bad_settings(stack, &mut secrets).await;
    found.extend(installation::panics());

    // One whole life, with something in it that is no secret: it must be found, or the scan is blind.
    let mut body = idle::hasty(stack, &tenant).await;
    let visible = marker();
    body["name"] = json!(visible);
    let wish = marker();
    body["scheduler_request"] = json!({"token": wish});
    secrets.add("a request to the scheduler", wish);
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

    assert!(secrets.len() >= 40, "{}", secrets.len());
    let scanner = secrets.scanner();
    found.extend(tables(stack, &scanner).await);
    found.extend(redis(stack, &scanner).await);
    found.extend(arguments(stack, &scanner));
    for server in servers.iter().chain(&["redis"]) {
        found.extend(scanner.scan_folder(&data(stack).join(server)));
    }
    assert!(found.is_empty(), "{found:#?}");
}
