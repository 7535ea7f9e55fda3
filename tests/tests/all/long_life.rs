//! A workflow that lives long: its history is cut before it grows too large, and nothing is lost.

use std::time::Duration;

use temporalio_client::{WorkflowDescribeOptions, WorkflowSignalOptions};
use tests::{Tenant, eventually, stack};
use workflows::Allocation;

use crate::idle;

const LIMIT: Duration = Duration::from_mins(2);
/// More than enough: each wake is an event at least, and a history is cut at 2,000.
const WAKES: usize = 3_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_long_history_continues_as_a_new_one() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = idle::waiting(stack, &tenant).await;
    let created = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    let id = created["resource"]["id"].as_str().expect("an id");
    tenant.api.allocation_in(id, &["queued"], LIMIT).await;
    let workflow = format!("allocation/{id}");
    let client = stack.temporal().await;
    let handle = client.get_workflow_handle::<Allocation>(&workflow);
    let run = async || {
        let options = WorkflowDescribeOptions::default();
        let described = handle.describe(options).await.expect("it runs");
        described.run_id().to_owned()
    };
    let first = run().await;
    let mut wakes = 0;
    while run().await == first {
        assert!(wakes < WAKES, "still the first run after {WAKES} wakes");
        for _ in 0..20 {
            wakes += 1;
            handle
                .signal(Allocation::wake, (), WorkflowSignalOptions::default())
                .await
                .expect("it runs");
        }
    }
    stack
        .record_run("allocation_continued", &workflow, Some(&first))
        .await;

    // The new run knows what the old one knew: that the allocation waits, and how to end it.
    let release = tenant
        .api
        .delete(&format!("/api/v1/allocations/{id}"))
        .await
        .expect(202);
    assert_eq!(
        tenant.api.finished(&release, LIMIT).await["state"],
        "succeeded"
    );
    assert_eq!(tenant.allocation(id).await["state"], "released");
    eventually("the workflow has ended", LIMIT, || async {
        let options = WorkflowDescribeOptions::default();
        let described = handle.describe(options).await.ok()?;
        (described.run_id() != first && described.close_time().is_some()).then_some(())
    })
    .await;
    assert_eq!(stack.unreleased_gpus(id).await, 0);
}
