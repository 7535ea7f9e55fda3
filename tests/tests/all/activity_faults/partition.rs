//! The workflow `PartitionMaintenance`: whatever fails, the next run finishes, each table is converted
//! once, an archive comes back once, and no row is lost.

use activities::partition::Partitions;
use domain::data_growth::Guarded;
use platform::objects::Objects;
use platform::settings::ObjectSettings;
use serde_json::{Value, json};
use tests::planned::{Fault, PLANNED, PlannedWorker, Strike};
use tests::signer::Party;
use tests::{Stack, eventually};
use time::macros::datetime;

use super::{LIMIT, closed};
use crate::sweep;
use tests::scratch::{self, input};

pub(super) const STEPS: &[&str] = &[
    "maintenance.open",
    "partition.bind",
    "partition.prove",
    "partition.cut_over",
    "partition.premake",
    "partition.archive",
    "partition.expire",
    "maintenance.close",
    "archive.verify",
    "archive.restore",
];
/// The last two are of runs that are about an archive.
const OF_AN_ARCHIVE: usize = 2;
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
        let steps = &STEPS[..STEPS.len() - OF_AN_ARCHIVE];
        let strikes = steps.iter().map(|step| Strike { step, fault });
        worker.plan("PartitionMaintenance", &strikes.collect::<Vec<_>>());
        // What fails for good ends a table's turn: each run comes one step further.
        let mut said = Vec::new();
        for _ in STEPS {
            if !worker.missed("PartitionMaintenance").is_empty() {
                let run = maintain(stack, table).await;
                said.extend(run["reports"][0]["failed"].as_str().map(ToOwned::to_owned));
            }
        }
        // People read why, not only that.
        if fault == Fault::Before {
            let cut = format!("cut {table} over: {PLANNED}");
            assert!(said.contains(&cut), "{said:?}");
            assert!(said.iter().all(|why| why.ends_with(PLANNED)), "{said:?}");
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
    archives(stack, worker).await;
    // A step that runs twice is written down once.
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from (select from audit_logs where action like 'partition.%' and actor_kind = 'workflow'
           and action not in ('partition.drop', 'partition.restore')
           group by resource_id, action having count(*) > 1) as twice",
    )
    .fetch_one(&stack.database().await)
    .await
    .expect("a count");
    assert_eq!(twice, 0);
}

/// An archive is read, and brought back, whatever fails.
async fn archives(stack: &Stack, worker: &PlannedWorker) {
    let table = input(Guarded::OutboxEvents);
    let steps = Partitions {
        pool: scratch::pool(&tests::scratch::as_role(stack, "berth_worker")).await,
        owner: scratch::pool(&tests::scratch::as_role(stack, "berth_owner")).await,
        objects: Objects::open(&ObjectSettings::Folder(stack.dir().join("data/objects")))
            .expect("the stack's"),
        signer: Party::new(stack).await.signer,
    };
    for (key, value) in [
        ("partition.outbox_events_kept_seconds", 3_600),
        ("partition.outbox_events_archive", 1),
    ] {
        sqlx::query(
            "insert into policy_values (key, scope_kind, scope_id, value, updated_by)
             select $1, 'platform', nobody, to_jsonb($2::bigint), nobody
             from (values ('00000000-0000-0000-0000-000000000000'::uuid)) as v (nobody)",
        )
        .bind(key)
        .bind(value)
        .execute(&stack.database().await)
        .await
        .expect("a policy");
    }
    // Partitions that begin tomorrow are empty: those may go.
    let far = Some(datetime!(2100-01-01 0:00 UTC));
    let first = eventually("all of it is handed on", LIMIT, || async {
        steps.archive_at(table, far).await.expect("an archive")
    })
    .await;
    assert_eq!(first, "outbox_events_first");
    sqlx::query("update archives set held_until = '2200-01-01'")
        .execute(&steps.owner)
        .await
        .expect("held");
    for fault in Fault::ALL {
        let name = steps.archive_at(table, far).await.expect("an archive");
        let name = name.expect("one");
        steps.expire_at(table, far).await.expect("dropped");
        let all = "/api/v1/admin/archives?table=outbox_events";
        let all = stack.admin().get(all).await.expect(200);
        let mut items = all["items"].as_array().expect("a list").iter();
        let one = items.find(|one| one["partition"] == *name).expect("it");
        assert_eq!(one["state"], "archived", "{one}");
        let id = one["id"].as_str().expect("an id");
        let strikes = [
            Strike {
                step: "archive.verify",
                fault,
            },
            Strike {
                step: "archive.restore",
                fault,
            },
        ];
        worker.plan("PartitionMaintenance", &strikes);
        for verb in ["verify", "restore", "restore"] {
            let path = format!("/api/v1/admin/archives/{id}:{verb}");
            ask(stack, &path, &json!({"reason": "a drill"})).await;
        }
        let missed = worker.missed("PartitionMaintenance");
        assert!(missed.is_empty(), "{missed:?}");
        let path = format!("/api/v1/admin/archives/{id}");
        let one = stack.admin().get(&path).await.expect(200);
        assert_eq!(one["state"], "restored", "{fault:?}: {one}");
    }
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
    ask(stack, "/api/v1/admin/partitions:maintain", &body).await
}

pub(super) async fn ask(stack: &Stack, path: &str, body: &Value) -> Value {
    let asked = stack.admin().post(path, body).await.expect(202);
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
