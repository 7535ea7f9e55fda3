//! The workflow `Sweep`: one that fails is made good by the next.

use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, Tenant, eventually};

use super::{LIMIT, closed};
use crate::sweep;

pub(super) const STEPS: &[&str] = &["sweep.restart"];

pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    let tenant = Tenant::new(stack).await;
    for step in STEPS {
        for fault in Fault::ALL {
            run(stack, worker, &tenant, Strike { step, fault }).await;
        }
    }
}

async fn run(stack: &Stack, worker: &PlannedWorker, tenant: &Tenant, strike: Strike) {
    let made = sweep::ask(stack, tenant).await;
    let id = made["resource"]["id"].as_str().expect("an id").to_owned();
    let workflow = format!("allocation/{id}");
    worker.plan(&workflow, &[]);
    tenant.api.allocation_in(&id, &["queued"], LIMIT).await;
    stack.terminate_workflow(&workflow).await;
    worker.plan("Sweep", &[strike]);
    eventually("it runs again", LIMIT, || async {
        sweep::sweep(stack).await;
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
