//! Every step of every workflow, with each fault that a step can have: it fails before its effect,
//! it fails after it, it runs twice, its workflow is cancelled meanwhile. Afterwards nothing is left
//! behind in the database, on a machine, in Temporal or in usage.

mod allocation;
mod audit;
mod balance;
mod billing;
mod node;
mod partition;
mod retention;
mod rotation;
mod sweep;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::{StreamExt, stream};
use tests::planned::PlannedWorker;
use tests::{Stack, eventually};

use self::allocation::Case;
use crate::tidy::activities::declared;

const LIMIT: Duration = Duration::from_mins(3);
/// Cases at once.
const CONCURRENCY: usize = 12;

/// A workflow has its own row here, or somebody has forgotten it.
#[tokio::test]
async fn every_step_has_its_cases() {
    let declared: BTreeSet<String> = declared().into_values().collect();
    let tried: BTreeSet<String> = allocation::steps()
        .chain(node::STEPS.iter().copied())
        .chain(sweep::STEPS.iter().copied())
        .chain(billing::STEPS.iter().copied())
        .chain(balance::STEPS.iter().copied())
        .chain(rotation::STEPS.iter().copied())
        .chain(partition::STEPS.iter().copied())
        .chain(audit::STEPS.iter().copied())
        .chain(retention::STEPS.iter().copied())
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(tried, declared);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_a_step_leaves_anything_behind() {
    let stack = Stack::own(3).await;
    stack.raise_limits().await;
    let worker = PlannedWorker::instead(&stack).await;
    // It would find that machines are well whose faults are only written down.
    stack.pause_health().await;
    let cases = async {
        let cases = allocation::cases(&stack).await;
        let run = |case| allocation::run(&stack, &worker, case);
        let (lonely, others): (Vec<_>, Vec<_>) = cases.into_iter().partition(Case::is_lonely);
        for case in lonely {
            run(case).await;
        }
        let run = stream::iter(others).map(run).buffer_unordered(CONCURRENCY);
        run.collect::<()>().await;
    };
    // Nodes that were found bad are checked again at once: there are many faults and few nodes.
    tokio::select! {
        () = cases => {}
        () = node::bring_back_for_ever(&stack) => {}
    }
    node::run_all(&stack, &worker).await;
    sweep::run_all(&stack, &worker).await;
    billing::run_all(&stack, &worker).await;
    balance::run_all(&stack, &worker).await;
    rotation::run_all(&stack, &worker).await;
    partition::run_all(&stack, &worker).await;
    audit::run_all(&stack, &worker).await;
    retention::run_all(&stack, &worker).await;
    assert_eq!(stack.double_holds().await, 0);
    assert_eq!(stack.gpus_not_free().await, 0);
}

/// Waits until Temporal knows of no run of the workflow.
async fn closed(stack: &Stack, workflow: &str) {
    eventually(&format!("the end of {workflow}"), LIMIT, || async {
        let run = crate::sweep::run_of(stack, workflow).await;
        run.is_none().then_some(())
    })
    .await;
}
