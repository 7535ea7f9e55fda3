//! Tables that only grow.

use serde_json::json;
use tests::{rough_stack, stack};

const PATH: &str = "/api/v1/admin/data-growth";

#[tokio::test(flavor = "multi_thread")]
async fn tables_that_only_grow_are_measured_against_their_triggers() {
    // Its tables are plain.
    let stack = stack().await;
    sqlx::query(
        "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                    meter, sku, quantity, started_at, ended_at)
         select id, uuid_v7_at(id), 1, id, id, id, id, 'gpu_seconds', 'none', 1, '2001-01-01', '2001-01-02'
         from (select uuid_v7() as id from generate_series(1, 2000)) as made",
    )
    .execute(&stack.database().await)
    .await
    .expect("records");
    let table = async |name: &str| {
        let seen = stack.admin().get(PATH).await.expect(200);
        let items = seen["items"].as_array().expect("a list").clone();
        let mut found = items.into_iter().filter(|one| one["table"] == name);
        found.next().expect("a guarded table")
    };
    let rows = tests::eventually("statistics", std::time::Duration::from_mins(1), || async {
        let now = table("usage_records").await;
        (now["rows"].as_i64() >= Some(2_000)).then_some(now)
    })
    .await;
    assert_eq!(rows["verdict"], "well", "{rows}");
    assert!(rows["bytes"].as_i64() > Some(100_000), "{rows}");
    assert!(rows["oldest_at"].is_string(), "{rows}");
    let well = stack.berth(&["partition", "check"]).await;
    assert!(well.status.success(), "{well:?}");

    let path = "/api/v1/admin/policies/data_growth.usage_records_rows_trigger";
    let trigger = |value: i64| json!({"scope": "platform", "value": value});
    stack.admin().put(path, &trigger(1_000)).await.expect(200);
    let crossed = table("usage_records").await;
    assert_eq!(crossed["verdict"], "crossed", "{crossed}");
    assert_eq!(crossed["crossed"], json!(["rows"]), "{crossed}");
    // Those of the others are theirs.
    let other = table("ledger_entries").await;
    assert_eq!(other["rows_trigger"], 10_000_000, "{other}");
    // As runbooks call it.
    let script = tests::stack::workspace().join("scripts/ops/data_growth_check.sh");
    let crossed = tokio::process::Command::new(script)
        .env("BERTH_BIN", tests::stack::berth_exe())
        .current_dir(stack.dir())
        .output()
        .await
        .expect("bash runs");
    assert_eq!(crossed.status.code(), Some(1), "{crossed:?}");
    let text = String::from_utf8_lossy(&crossed.stdout).into_owned();
    assert!(
        text.contains("usage_records") && text.contains("crossed"),
        "{text}"
    );
    stack
        .admin()
        .put(path, &trigger(10_000_000))
        .await
        .expect(200);
    stack.owner().get(PATH).await.problem(403, "forbidden");
}

/// Each metric that the dashboard draws is one that the relay has.
#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_draws_what_is_measured() {
    let stack = rough_stack().await;
    let file = tests::stack::workspace().join("ops/grafana/data_growth.json");
    let text = std::fs::read_to_string(file).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let name =
        regex::Regex::new("(?:data_growth|partition|retention|audit)_[a-z_]+").expect("ours");
    let drawn: std::collections::BTreeSet<String> = targets
        .flatten()
        .flat_map(|target| {
            let expr = target["expr"].as_str().expect("an expression");
            name.find_iter(expr).map(|found| found.as_str().to_owned())
        })
        .collect();
    assert!(drawn.len() > 10, "{drawn:?}");
    tests::eventually(
        "every metric",
        std::time::Duration::from_mins(2),
        || async {
            let metrics = stack.relay_metrics().await;
            let has = |name: &String| {
                let mut lines = metrics.lines();
                lines.any(|line| line.split(['{', ' ']).next() == Some(name))
            };
            drawn.iter().all(has).then_some(())
        },
    )
    .await;
}

/// What alerts go by is counted by the relay that leads, with the rights that it has.
#[tokio::test(flavor = "multi_thread")]
async fn the_relay_that_leads_counts_what_alerts_go_by() {
    let stack = rough_stack().await;
    let gauges = [
        "data_growth_rows{table=\"usage_records\"}",
        "data_growth_bytes{table=\"ledger_entries\"}",
        "data_growth_vacuum_lag_seconds{table=\"audit_logs\"}",
        "data_growth_rows_trigger{table=\"usage_records\"}",
        "data_growth_crossed{table=\"usage_records\",measure=\"rows_per_day\",kind=\"growth\"} 0",
        "billing_accounts_parked ",
        "billing_accounts_late ",
        "usage_metering_lag_seconds ",
        "ledger_imbalance_micros 0",
    ];
    tests::eventually("the gauges", std::time::Duration::from_mins(2), || async {
        let metrics = stack.relay_metrics().await;
        gauges
            .iter()
            .all(|gauge| metrics.contains(gauge))
            .then_some(())
    })
    .await;
}
