//! The workflow `KeyRotation`: whatever fails, one key of each purpose signs, and another rotation can
//! follow.

use tests::planned::{Fault, PlannedWorker, Strike};
use tests::{Stack, eventually};

use super::{LIMIT, closed};
use crate::{rotations, sweep};

pub(super) const STEPS: &[&str] = &[
    "rotation.open",
    "rotation.publish",
    "rotation.activate",
    "rotation.revoke",
    "rotation.resign",
    "rotation.close",
];

pub(super) async fn run_all(stack: &Stack, worker: &PlannedWorker) {
    rotations::at_once(stack).await;
    for step in STEPS {
        for fault in Fault::ALL {
            rotate(stack, worker, Strike { step, fault }).await;
        }
    }
}

async fn rotate(stack: &Stack, worker: &PlannedWorker, strike: Strike) {
    let mode = match strike.step {
        "rotation.resign" => "break_glass",
        _ => "scheduled",
    };
    worker.plan("KeyRotation", &[strike]);
    let asked = rotations::ask(stack, "terminal_signer", mode).await;
    eventually(&format!("the strike {strike:?}"), LIMIT, || async {
        worker.missed("KeyRotation").is_empty().then_some(())
    })
    .await;
    let id = asked["id"].as_str().expect("an id");
    let done = eventually("its end", LIMIT, || async {
        sweep::trigger(stack, "sweep").await;
        let path = format!("/api/v1/operations/{id}");
        let now = stack.admin().get(&path).await.expect(200);
        let over = !["pending", "running"].contains(&now["state"].as_str()?);
        over.then_some(now)
    })
    .await;
    let workflow = done["workflow"]["id"].as_str().expect("an id");
    closed(stack, workflow).await;
    let (signing, next): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where state = 'active'), count(*) filter (where state = 'pre_published')
         from signing_keys where purpose = 'terminal_signer'",
    )
    .fetch_one(&stack.database().await)
    .await
    .expect("counts");
    assert_eq!(signing, 1, "{strike:?}");
    assert!(next <= 1, "{strike:?}");
    let unproved: i64 = sqlx::query_scalar(
        "select count(*) from rotations where ended_at is not null
           and (evidence -> 'signature' is null or outcome = 'succeeded' and refused_at is null)",
    )
    .fetch_one(&stack.database().await)
    .await
    .expect("a count");
    assert_eq!(unproved, 0, "{strike:?}");
    // A step that runs twice is written down once.
    let twice: i64 = sqlx::query_scalar(
        "select count(*) from (select from audit_logs where action like 'rotation.%' and outcome = 'allowed'
           group by resource_id, action having count(*) > 1) as twice",
    )
    .fetch_one(&stack.database().await)
    .await
    .expect("a count");
    assert_eq!(twice, 0, "{strike:?}");
}
