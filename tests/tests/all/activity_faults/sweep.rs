//! The workflows `Sweep` and `NodeHealthSweep`: one that fails is made good by the next.

use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, Tenant, eventually};

use super::{LIMIT, closed};
use crate::sweep;

pub(super) const STEPS: &[&str] = &["sweep.restart", "health.look"];

pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    let tenant = Tenant::new(stack).await;
    for fault in Fault::ALL {
        let step = "sweep.restart";
        restart(stack, worker, &tenant, Strike { step, fault }).await;
        let step = "health.look";
        look(stack, worker, Strike { step, fault }).await;
    }
}

/// After the fault machines are looked at again.
async fn look(stack: &Stack, worker: &PlannedWorker, strike: Strike) {
    worker.plan("NodeHealthSweep", &[strike]);
    let looked_at = async || {
        let oldest = "select min(looked_at)::text from node_health";
        let oldest = sqlx::query_scalar::<_, Option<String>>(oldest);
        oldest
            .fetch_one(&stack.database().await)
            .await
            .expect("rows")
    };
    eventually("the strike", LIMIT, || async {
        sweep::trigger(stack, "node-health").await;
        worker.missed("NodeHealthSweep").is_empty().then_some(())
    })
    .await;
    let before = looked_at().await;
    eventually("another look", LIMIT, || async {
        sweep::trigger(stack, "node-health").await;
        (looked_at().await > before).then_some(())
    })
    .await;
    assert!(
        stack
            .nodes()
            .await
            .iter()
            .all(|node| node["state"] == "available")
    );
}

async fn restart(stack: &Stack, worker: &PlannedWorker, tenant: &Tenant, strike: Strike) {
    let made = sweep::ask(stack, tenant).await;
    let id = made["resource"]["id"].as_str().expect("an id").to_owned();
    let workflow = format!("allocation/{id}");
    worker.plan(&workflow, &[]);
    tenant.api.allocation_in(&id, &["queued"], LIMIT).await;
    stack.terminate_workflow(&workflow).await;
    worker.plan("Sweep", &[strike]);
    eventually("it runs again", LIMIT, || async {
        sweep::trigger(stack, "sweep").await;
        sweep::run_of(stack, &workflow).await
    })
    .await;
    eventually("the strike", LIMIT, || async {
        worker.missed("Sweep").is_empty().then_some(())
    })
    .await;
    let path = format!("/api/v1/allocations/{id}");
    tenant.api.delete(&path).await.expect(202);
    let ends = ["released", "failed"];
    tenant.api.allocation_in(&id, &ends, LIMIT).await;
    closed(stack, &workflow).await;
    stack.assert_clean(&id).await;
}
