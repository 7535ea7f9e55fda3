//! The workflow `PartitionMaintenance`: whatever fails, the next run finishes, each table is converted
//! once, and no row is lost.

use serde_json::{Value, json};
use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, eventually};

use super::{LIMIT, closed};
use crate::sweep;

pub(super) const STEPS: &[&str] = &[
    "maintenance.open",
    "partition.bind",
    "partition.prove",
    "partition.cut_over",
    "partition.premake",
    "partition.expire",
    "maintenance.close",
];
/// One for each fault: a table is converted only once.
const TABLES: [&str; 4] = [
    "usage_records",
    "ledger_entries",
    "audit_logs",
    "outbox_events",
];

pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    for (table, fault) in TABLES.into_iter().zip(Fault::ALL) {
        let before = rows(stack, table).await;
        let strikes = STEPS.iter().map(|step| Strike { step, fault });
        worker.plan("PartitionMaintenance", &strikes.collect::<Vec<_>>());
        // What fails for good ends a table's turn: each run comes one step further.
        for _ in STEPS {
            if !worker.missed("PartitionMaintenance").is_empty() {
                maintain(stack, table).await;
            }
        }
        let missed = worker.missed("PartitionMaintenance");
        assert!(missed.is_empty(), "{table}: {missed:?}");
        assert!(rows(stack, table).await >= before, "{table} {fault:?}");
        let ended = maintain(stack, table).await;
        assert_eq!(ended["outcome"], "succeeded", "{ended}");
        let plan = "/api/v1/admin/partitions:plan";
        let plan = stack.admin().get(plan).await.expect(200);
        let mut items = plan["items"].as_array().expect("a list").iter();
        let one = items.find(|one| one["table"] == table).expect("the table");
        assert_eq!(one["form"], "converted", "{fault:?}");
        assert_eq!(one["steps"], json!([]), "{fault:?}");
    }
    // A step that runs twice is written down once.
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from (select from audit_logs where action like 'partition.%' and actor_kind = 'workflow'
           group by resource_id, action having count(*) > 1) as twice",
    )
    .fetch_one(&stack.database().await)
    .await
    .expect("a count");
    assert_eq!(twice, 0);
}

async fn rows(stack: &Stack, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    let count = sqlx::query_scalar::<_, i64>(sql);
    count
        .fetch_one(&stack.database().await)
        .await
        .expect("a count")
}

/// Asks for a run and returns what it did, once it has ended; a sweep carries on what broke off.
async fn maintain(stack: &Stack, table: &str) -> Value {
    let body = json!({"table": table, "convert": true, "reason": "a drill"});
    let path = "/api/v1/admin/partitions:maintain";
    let asked = stack.admin().post(path, &body).await.expect(202);
    let id = asked["id"].as_str().expect("an id");
    let done = eventually("its end", LIMIT, || async {
        sweep::trigger(stack, "sweep").await;
        let path = format!("/api/v1/operations/{id}");
        let now = stack.admin().get(&path).await.expect(200);
        let over = !["pending", "running"].contains(&now["state"].as_str()?);
        over.then_some(now)
    })
    .await;
    closed(stack, done["workflow"]["id"].as_str().expect("an id")).await;
    let url = asked["resource"]["url"].as_str().expect("an address");
    stack.admin().get(url).await.expect(200)
}
