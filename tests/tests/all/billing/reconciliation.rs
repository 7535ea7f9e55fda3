//! What is kept in two places and differs is found and named; nothing is mended.

use serde_json::Value;
use sqlx::Connection as _;
use tests::{Stack, eventually, rough_stack};
use uuid::Uuid;

use super::prepaid;
use super::world::{self, LIMIT, Rate, Use, micros};
use crate::sweep;

const PATH: &str = "/api/v1/admin/reconciliations";

/// Compares everything now; what was found.
async fn compare(stack: &Stack) -> Vec<Value> {
    let latest = || async {
        let all = stack
            .admin()
            .get(&format!("{PATH}?limit=1"))
            .await
            .expect(200);
        let one = all["items"][0].clone();
        let id = one["id"].as_str().unwrap_or_default().to_owned();
        (id, one["ended_at"].is_string())
    };
    let (before, _) = latest().await;
    let id = eventually("it is compared", LIMIT, || async {
        sweep::trigger(stack, "reconciliation").await;
        let (id, ended) = latest().await;
        (ended && id != before).then_some(id)
    })
    .await;
    let one = stack.admin().get(&format!("{PATH}/{id}")).await.expect(200);
    let found = stack
        .admin()
        .get(&format!("{PATH}/{id}/findings?limit=200"))
        .await;
    let found = found.expect(200)["items"]
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(one["finding_count"], found.len(), "{one}");
    found
}

/// Those about one organization: comparison, code, and what the two places say.
fn about(found: &[Value], org: Uuid) -> Vec<[String; 4]> {
    let org = serde_json::json!(domain::id::OrgId::from(org));
    let text = |one: &Value, member: &str| one[member].as_str().expect("text").to_owned();
    found
        .iter()
        .filter(|one| one["organization_id"] == org)
        .map(|one| ["comparison", "code", "expected", "found"].map(|member| text(one, member)))
        .collect()
}

/// Does with the database what nobody of Berth's may do.
async fn tamper(stack: &Stack, org: Uuid, sql: &'static str) {
    let url = tests::scratch::as_role(stack, "postgres");
    let mut conn = sqlx::PgConnection::connect(&url)
        .await
        .expect("the database answers");
    let mut tx = conn.begin().await.expect("a transaction");
    sqlx::query("set local session_replication_role = replica")
        .execute(&mut *tx)
        .await
        .expect("no trigger fires");
    let done = sqlx::query(sql).bind(org).execute(&mut *tx).await;
    assert!(done.expect("it is done").rows_affected() > 0, "{sql}");
    tx.commit().await.expect("it holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_behind_the_ledgers_back_is_named() {
    let stack = rough_stack().await;
    let sku = world::sku(&stack).await;
    let start = micros("2012-01-01T00:00:00Z");
    let hour = 3_600_000_000;
    let rate = Rate {
        sku: sku.clone(),
        currency: "USD",
        micros: 1_000_000,
        start,
        end: None,
    };
    world::price(&stack, &rate).await;
    let mut orgs = Vec::new();
    for _ in 0..4 {
        let org = world::organization(&stack, "USD").await;
        let used = Use {
            org,
            project: Uuid::from_u128(1),
            sku: sku.clone(),
            quantity: 1,
            start,
            end: start + hour,
        };
        world::record(&stack, &[used]).await;
        let period = ("2012-01-01T00:00:00Z", "2012-02-01T00:00:00Z");
        world::bill(&stack, period.0, period.1, Some(org)).await;
        orgs.push(org);
    }
    let now = prepaid::now(&stack).await;
    let running = world::organization(&stack, "USD").await;
    prepaid::running(&stack, running, &sku, 1, now - 2 * hour).await;
    eventually("it is metered", LIMIT, || async {
        sweep::trigger(&stack, "metering").await;
        let metered: Option<i64> = sqlx::query_scalar(
            "select count(*) from usage_intervals where org_id = $1 and metered_to is not null having count(*) > 0",
        )
        .bind(running)
        .fetch_optional(&stack.database().await)
        .await
        .expect("a count");
        metered
    })
    .await;

    let sound = compare(&stack).await;
    for org in &orgs {
        assert_eq!(about(&sound, *org), [[""; 4]; 0], "nothing was done to it");
    }
    let unseen = about(&sound, running);
    assert_eq!(unseen, [[""; 4]; 0], "it has no machine: {unseen:?}");

    for (org, sql) in orgs.iter().zip([
        "update invoice_lines set gpu_microseconds = gpu_microseconds - 1 where org_id = $1",
        "update ledger_entries set amount_micros = amount_micros - 5 where org_id = $1 and account = 'revenue'",
        "update account_balances set balance_micros = 0 where org_id = $1",
        "update invoices set lines_micros = 7, total_micros = 7, rounding_micros = 0 where org_id = $1",
    ]) {
        tamper(&stack, *org, sql).await;
    }
    tamper(
        &stack,
        running,
        "update usage_records set quantity = 2 where org_id = $1",
    )
    .await;
    let found = compare(&stack).await;
    let expected: [&[[&str; 4]]; 4] = [
        &[[
            "lines",
            "lines_differ_from_records",
            "3600000000",
            "3599999999",
        ]],
        &[["ledger", "transaction_out_of_balance", "0", "-5"]],
        &[["ledger", "balance_differs_from_entries", "-1000000", "0"]],
        &[
            ["ledger", "entries_differ_from_invoice", "-7", "-1000000"],
            ["ledger", "lines_differ_from_invoice", "7", "1000000"],
        ],
    ];
    for (org, expected) in orgs.iter().zip(expected) {
        assert_eq!(about(&found, *org), expected);
    }
    let [usage] = &about(&found, running)[..] else {
        panic!("{found:?}");
    };
    assert_eq!(usage[..2], ["usage", "records_differ_from_interval"]);
    let gauge = eventually("people are told", LIMIT, || async {
        let metrics = stack.relay_metrics().await;
        let line = metrics.lines().find(|line| {
            line.starts_with("reconciliation_findings") && line.contains("\"ledger\"")
        })?;
        let count: f64 = line.split_whitespace().last()?.parse().ok()?;
        (count >= 4.0).then_some(count)
    });
    gauge.await;
    // Other tests see to it that the ledger of this stack is in balance.
    let back = "update ledger_entries set amount_micros = amount_micros + 5 where org_id = $1 and account = 'revenue'";
    tamper(&stack, orgs[1], back).await;
    sweep::record_one(&stack, "Reconciliation", "reconciliation").await;
}

/// An allocation that is handed out and charged to nobody, and one charged after its end.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_handed_out_and_what_is_charged_must_agree() {
    let stack = rough_stack().await;
    let sku = world::sku(&stack).await;
    let now = prepaid::now(&stack).await;
    let free = world::organization(&stack, "USD").await;
    prepaid::running(&stack, free, &sku, 1, now - 60_000_000).await;
    tamper(
        &stack,
        free,
        "delete from usage_intervals where org_id = $1",
    )
    .await;
    let ended = world::organization(&stack, "USD").await;
    prepaid::running(&stack, ended, &sku, 1, now - 60_000_000).await;
    tamper(
        &stack,
        ended,
        "update allocations set state = 'degraded' where org_id = $1",
    )
    .await;
    let found = compare(&stack).await;
    let code = |org| {
        about(&found, org)
            .into_iter()
            .map(|one| one[1].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(code(free), ["active_without_charge"]);
    assert_eq!(code(ended), ["charged_while_not_active"]);
}
