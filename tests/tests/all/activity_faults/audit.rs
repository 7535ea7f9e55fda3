//! The workflow `AuditSealing`, and the step that proves what it made: whatever fails, each entry has one
//! place, and nothing is found to be wrong.

use serde_json::json;
use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, eventually};

use super::LIMIT;
use super::partition::ask;
use crate::sweep;
use tests::scratch;

pub(super) const STEPS: &[&str] = &["audit.seal", "audit.checkpoint", "audit.prove"];
const VERIFY: &str = "/api/v1/admin/audit-events:verify";

pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    let pool = scratch::pool(&tests::scratch::as_role(stack, "postgres")).await;
    for fault in Fault::ALL {
        for step in ["audit.seal", "audit.checkpoint"] {
            // The last heads are old enough.
            let older = "begin; set local session_replication_role = replica;
                         update audit_checkpoints set created_at = created_at - interval '1 day'; commit";
            sqlx::raw_sql(older).execute(&pool).await.expect("older");
            worker.plan("AuditSealing", &[Strike { step, fault }]);
            eventually("the strike", LIMIT, || async {
                sweep::trigger(stack, "audit-sealing").await;
                worker.missed("AuditSealing").is_empty().then_some(())
            })
            .await;
        }
        let step = "audit.prove";
        worker.plan("PartitionMaintenance", &[Strike { step, fault }]);
        // One that was called off is asked for again.
        eventually("a look", LIMIT, || async {
            let run = ask(stack, VERIFY, &json!({"reason": "a drill"})).await;
            let done = run["outcome"] == "succeeded";
            let proof = &run["reports"][0]["audit"];
            assert!(!done || proof["finding_count"] == 0, "{fault:?}: {run}");
            (done && worker.missed("PartitionMaintenance").is_empty()).then_some(())
        })
        .await;
    }
    eventually("all of it is sealed, each entry once", LIMIT, || async {
        sweep::trigger(stack, "audit-sealing").await;
        let left: i64 = sqlx::query_scalar(
            "select (select count(*) from audit_logs) - (select count(*) from audit_links)",
        )
        .fetch_one(&pool)
        .await
        .expect("a count");
        (left == 0).then_some(())
    })
    .await;
    let signed: i64 = sqlx::query_scalar("select count(*) from audit_checkpoints")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert!(signed > 1, "{signed}");
}
