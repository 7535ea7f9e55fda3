//! The workflow `Retention`: whatever fails, the next run forgets what is due, and nothing else.

use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, eventually};

use super::LIMIT;
use crate::sweep;

pub(super) const STEPS: &[&str] = &["retention.forget"];

pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    let pool = stack.database().await;
    let count = async |sql: &'static str| {
        let count = sqlx::query_scalar::<_, i64>(sql);
        count.fetch_one(&pool).await.expect("a count")
    };
    for fault in Fault::ALL {
        // Two that are due, and others that are not.
        let made = "insert into idempotency_keys (org_id, principal, method, route, key, fingerprint, status,
                                                  resource_kind, resource_id, expires_at)
                    select org_id, principal, method, route, 'due-' || n, fingerprint, status, resource_kind,
                           resource_id, now() - interval '30 days'
                    from (select * from idempotency_keys limit 1) as one, generate_series(1, 2) as n";
        sqlx::raw_sql(made).execute(&pool).await.expect("records");
        let others = "select count(*) from idempotency_keys where expires_at > now()";
        let before = count(others).await;
        let step = "retention.forget";
        worker.plan("Retention", &[Strike { step, fault }]);
        eventually("the strike, and what is due is gone", LIMIT, || async {
            sweep::trigger(stack, "retention").await;
            let due = "select count(*) from idempotency_keys where key like 'due-%'";
            (worker.missed("Retention").is_empty() && count(due).await == 0).then_some(())
        })
        .await;
        assert!(count(others).await >= before, "{fault:?}");
    }
}
