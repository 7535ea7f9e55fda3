//! The maintenance as operators ask for it.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Stack, rough_stack, stack};

const LIMIT: Duration = Duration::from_mins(3);
const MAINTAIN: &str = "/api/v1/admin/partitions:maintain";

pub(crate) async fn maintain(stack: &Stack, body: &Value) -> Value {
    let asked = stack.admin().post(MAINTAIN, body).await.expect(202);
    stack.admin().finished(&asked, LIMIT).await;
    let url = asked["resource"]["url"].as_str().expect("an address");
    stack.admin().get(url).await.expect(200)
}

/// The run that converted them.
async fn converted(stack: &Stack) -> Value {
    let runs = stack
        .admin()
        .get("/api/v1/admin/maintenances")
        .await
        .expect(200);
    let mut runs = runs["items"].as_array().expect("a list").iter();
    let run = runs.find(|run| run["task"] == "convert");
    run.expect("the first one").clone()
}

/// The rough stack's tables were converted when it started, so that every test that runs on it tests
/// the same statements on converted tables.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_is_converted_and_looked_after() {
    let stack = rough_stack().await;
    let list = stack
        .admin()
        .get("/api/v1/admin/partitions")
        .await
        .expect(200);
    let of = |table: &str| {
        let items = list["items"].as_array().expect("a list").iter();
        items.filter(|one| one["table"] == table).count()
    };
    for (table, at_least) in [
        ("usage_records", 3),
        ("ledger_entries", 3),
        ("audit_logs", 3),
        ("outbox_events", 4),
        ("workflow_intents", 4),
    ] {
        assert!(of(table) >= at_least, "{table}: {list}");
    }
    let path = "/api/v1/admin/partitions?table=audit_logs";
    let one = stack.admin().get(path).await.expect(200);
    assert_eq!(
        one["items"].as_array().map(Vec::len),
        Some(of("audit_logs"))
    );
    assert_eq!(one["items"][0]["name"], "audit_logs_first");
    assert_eq!(one["items"][0]["since"], Value::Null);

    let plan = stack
        .admin()
        .get("/api/v1/admin/partitions:plan")
        .await
        .expect(200);
    for table in plan["items"].as_array().expect("a list") {
        assert_eq!(table["form"], "converted", "{table}");
        assert_eq!(table["steps"], json!([]), "{table}");
    }
    let run = maintain(&stack, &json!({"reason": "a look"})).await;
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(run["reports"].as_array().map(Vec::len), Some(5), "{run}");
    for report in run["reports"].as_array().expect("a list") {
        assert_eq!(report["converted"], false, "{report}");
        assert_eq!(report["added"], json!([]), "{report}");
    }
    for (name, run) in [
        ("partition_maintenance", &run),
        ("partition_maintenance_converts", &converted(&stack).await),
    ] {
        let id = run["id"].as_str().expect("an id");
        stack.record(name, &format!("maintenance/{id}")).await;
    }
    let gauges = [
        "partition_premade_days{table=\"usage_records\"}",
        "partition_maintenance_age_seconds ",
    ];
    tests::eventually("the gauges", LIMIT, || async {
        let metrics = stack.relay_metrics().await;
        let all = gauges.iter().all(|gauge| metrics.contains(gauge));
        all.then_some(())
    })
    .await;
    let growth = stack.admin().get("/api/v1/admin/data-growth").await;
    for table in growth.expect(200)["items"].as_array().expect("a list") {
        assert_eq!(table["form"], "converted", "{table}");
        assert_eq!(table["verdict"], "well", "{table}");
    }
}

/// Who asks what a conversion would do is told each step, for how long others may wait, and the way back.
#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_locks_and_the_way_back() {
    let stack = stack().await;
    let plan = "/api/v1/admin/partitions:plan";
    let plan = stack.admin().get(plan).await.expect(200);
    // Another test crosses a trigger of `usage_records`.
    let calm = |table: &&Value| table["table"] != "usage_records";
    for table in plan["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(calm)
    {
        assert_eq!(table["form"], "plain", "{table}");
        let steps = table["on_demand"].as_array().expect("a list");
        let of = |name: &str| {
            steps
                .iter()
                .map(|step| step[name].clone())
                .collect::<Vec<_>>()
        };
        let known = ["bind", "prove", "cut_over", "premake"];
        assert_eq!(of("step")[..known.len()], known, "{table}");
        assert_eq!(
            of("wait_limit_millis")[..known.len()],
            [100, 0, 200, 100],
            "{table}"
        );
        for said in of("lock").iter().chain(&of("rollback")) {
            assert!(said.as_str().is_some_and(|text| text.len() > 10), "{table}");
        }
    }
    let shown = stack.berth(&["partition", "plan"]).await;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    for word in ["cut_over", "200", "drop constraint partition_bound"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_and_what_makes_no_sense_is_refused() {
    let stack = rough_stack().await;
    let ask = async |body: Value| stack.admin().post(MAINTAIN, &body).await;
    ask(json!({"reason": "x", "table": "allocations"}))
        .await
        .problem(422, "invalid_request");
    ask(json!({"table": "audit_logs"}))
        .await
        .problem(422, "invalid_request");
    ask(json!({"reason": "x", "force": true}))
        .await
        .problem(422, "invalid_request");
    let body = json!({"reason": "x"});
    stack
        .owner()
        .post(MAINTAIN, &body)
        .await
        .problem(403, "forbidden");
    for path in [
        "/api/v1/admin/partitions",
        "/api/v1/admin/partitions:plan",
        "/api/v1/admin/maintenances",
    ] {
        stack.owner().get(path).await.problem(403, "forbidden");
    }
    let path = "/api/v1/admin/partitions?table=allocations";
    stack.admin().get(path).await.problem(400, "invalid_query");
    let nobody = "/api/v1/admin/maintenances/maint_01890000000070008000000000000000";
    stack.admin().get(nobody).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminal_shows_it() {
    let stack = rough_stack().await;
    let says = async |args: &[&str]| {
        let done = stack.berth(args).await;
        assert!(done.status.success(), "{done:?}");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let list = says(&["partition", "list", "--table", "ledger_entries"]).await;
    assert!(list.contains("ledger_entries_first"), "{list}");
    says(&["partition", "plan"]).await;
    let args = ["partition", "maintain", "--reason", "a look", "--wait"];
    let ran = says(&args).await;
    assert!(ran.contains("succeeded"), "{ran}");
    let runs = says(&["partition", "runs"]).await;
    assert!(runs.contains("a look"), "{runs}");
}
