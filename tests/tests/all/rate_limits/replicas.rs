//! RL-02: three processes, one limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tests::limits::{in_force, quota};
use tests::{Replica, Stack, Tenant, stack};

const TASKS: usize = 50;
const CALLS: u64 = 2_000;
const PER_MINUTE: f64 = 100.0;
const BURST: f64 = 20.0;
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn rl_02_three_replicas_let_through_what_one_would() {
    let stack = stack().await;
    // Without Redis each would have a quarter: the size that an answer tells says who decided.
    let changes = [("BERTH_API_REPLICAS", "4"), ("BERTH_LOG", "warn")];
    let start = || Replica::start(stack, &changes);
    let (first, second, third) = tokio::join!(start(), start(), start());
    let replicas = [&first.base, &second.base, &third.base];
    // On a busy machine Redis may not be read in time, and then for a second nobody asks it: such
    // a round says little, and another one follows.
    for _ in 0..ROUNDS {
        let undecided = round(stack, replicas).await;
        if undecided < CALLS / 2 {
            return;
        }
    }
    panic!("Redis was never read in time");
}

/// What three replicas let through of one person's calls; answers how many nobody decided about.
#[expect(clippy::cast_precision_loss, reason = "small counts")]
async fn round(stack: &Stack, replicas: [&String; 3]) -> u64 {
    let tenant = Tenant::new(stack).await;
    stack.limit("read", &tenant.org_id, 100, 20).await;
    // Another person looks, so that the measured bucket is whole.
    let colleague = tenant.colleague(stack, "viewer").await;
    for base in replicas {
        in_force(&colleague.at(base), "read-principal", 20).await;
    }
    let [allowed, undecided, left] = [0, 0, CALLS].map(|n| Arc::new(AtomicU64::new(n)));
    let start = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for task in 0..TASKS {
        let api = tenant.api.at(replicas[task % replicas.len()]);
        let (allowed, undecided, left) = (allowed.clone(), undecided.clone(), left.clone());
        callers.spawn(async move {
            while left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_ok()
            {
                let answer = api.get("/api/v1/me").await;
                let refused = answer.status == 429;
                assert!(refused || answer.status == 200, "{}", answer.text);
                match quota(&answer, "read-principal") {
                    Some(20) if refused => {}
                    Some(20) => drop(allowed.fetch_add(1, Ordering::Relaxed)),
                    // A busy machine: Redis was not read in time.
                    _ => drop(undecided.fetch_add(1, Ordering::Relaxed)),
                }
            }
        });
    }
    callers.join_all().await;
    let most = BURST + PER_MINUTE * start.elapsed().as_secs_f64() / 60.0;
    let left_undecided = undecided.load(Ordering::Relaxed);
    let [allowed, undecided] = [allowed, undecided].map(|n| n.load(Ordering::Relaxed) as f64);
    assert!(allowed <= most + 1.0, "{allowed} of {most}");
    assert!(
        allowed + undecided >= most * 0.99 - 1.0,
        "{allowed} of {most}, {undecided} undecided"
    );
    left_undecided
}
