//! Accepted `POST /allocations` per second against pgbench writing the same rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Stack, Tenant};
use tokio::process::Command;

const CALLERS: usize = 8;
const FOR: Duration = Duration::from_secs(8);

pub(crate) async fn run(stack: &Stack, tenant: &Tenant) -> Vec<String> {
    // The worker rests: this is the cost of accepting, not of doing.
    stack.control("stop", "worker").await;
    let floor = pgbench(stack, tenant).await;
    let ours = posts(stack, tenant).await;
    stack.control("start", "worker").await;
    println!("accept: {CALLERS} callers, {FOR:?} each");
    println!("POST /allocations            {ours:9.0} /s");
    println!("pgbench, the same rows       {floor:9.0} /s");
    vec![format!(
        "accept: berth / pgbench with the same inserts: {:.2}",
        ours / floor
    )]
}

async fn posts(stack: &Stack, tenant: &Tenant) -> f64 {
    let mut body = tenant.allocation_body(stack, 1);
    body["queue_timeout_seconds"] = json!(0);
    let (count, start) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLERS {
        let (api, body, count) = (tenant.api.clone(), body.clone(), count.clone());
        callers.spawn(async move {
            while start.elapsed() < FOR {
                api.post("/api/v1/allocations", &body).await.expect(202);
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    callers.join_all().await;
    count.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64()
}

async fn pgbench(stack: &Stack, tenant: &Tenant) -> f64 {
    let hex = |id: &str| id.rsplit('_').next().unwrap_or_default().to_owned();
    let script = tests::stack::workspace().join("tests/benches/berth/accept.sql");
    let variable = |name: &str, value: &str| format!("{name}={value}");
    let output = Command::new("pgbench")
        .args(["-n", "-M", "prepared", "-T", &FOR.as_secs().to_string()])
        .args(["-c", &CALLERS.to_string(), "-j", "2", "-f"])
        .arg(script)
        .args(["-D", &variable("org", &hex(&tenant.org_id))])
        .args(["-D", &variable("project", &hex(&tenant.project_id))])
        .args(["-D", &variable("user", &hex(&tenant.user_id))])
        .args(["-D", &variable("sshkey", &hex(&tenant.ssh_key_id))])
        .args(["-D", &variable("sku", stack.env("BERTH_SKU"))])
        .arg(stack.env("DATABASE_URL"))
        .output()
        .await
        .expect("pgbench runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tps = text
        .lines()
        .find_map(|l| l.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    tps.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}
