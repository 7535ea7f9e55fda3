//! The workflow `BalanceGuard`: whatever fails, everything ends where the money did, and each state is
//! told of once.

use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, eventually};

use super::{LIMIT, closed};
use crate::billing::prepaid;
use crate::sweep;

pub(super) const STEPS: &[&str] = &["balance.look", "balance.release"];

pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    let sku = prepaid::sku(stack).await;
    for step in STEPS {
        for fault in Fault::ALL {
            run(stack, worker, &sku, Strike { step, fault }).await;
        }
    }
}

async fn run(stack: &Stack, worker: &PlannedWorker, sku: &str, strike: Strike) {
    let since = prepaid::now(stack).await - 60_000_000;
    // Three GPUs burn three units a second: ten seconds' money, of which fifty are gone.
    let org = prepaid::organization(stack, 30_000_000, since).await;
    for gpus in [1, 2] {
        let id = prepaid::running(stack, org, sku, gpus, since).await;
        worker.plan(&contract::workflow_id::allocation(id), &[]);
    }
    worker.plan("BalanceGuard", &[strike]);
    eventually("all of it ends", LIMIT, || async {
        sweep::trigger(stack, "sweep").await;
        let done = worker.missed("BalanceGuard").is_empty()
            && prepaid::open(stack, &[org]).await == (0, 0);
        done.then_some(())
    })
    .await;
    let left = prepaid::left(stack, &[org]).await;
    assert_eq!(left, [(org, 0, 3_000_000)], "{strike:?}");
    assert_eq!(prepaid::told(stack, org).await, ["depleted"], "{strike:?}");
    let guard = contract::workflow_id::balance(org.into());
    closed(stack, &guard).await;
}
