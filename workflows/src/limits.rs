//! Time-outs and retry policies of every step, in one place.
//!
//! Steps in the database are tried until it is back; steps on a node until the node has to be
//! given up. How long one probe or one change on a node may take is policy and comes with the row.

use std::time::Duration;

use contract::failure;
use contract::queue;
use temporalio_workflow::{
    ActivityCancellationType, ActivityCloseTimeouts, ActivityOptions, LocalActivityOptions,
    RetryPolicy, WorkflowCancellationToken,
};

/// One transaction; longer means that the database is not well.
const DATABASE_TRY: Duration = Duration::from_secs(20);
/// For so long a database that is away is waited for.
const DATABASE_PATIENCE: Duration = Duration::from_hours(30 * 24);
/// A pause between two tries that is longer is a timer in the history.
const DATABASE_LOCAL_PAUSE: Duration = Duration::from_secs(5);
/// Steps on a node beat every 2 to 5 s; a worker that is silent for longer is dead.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// What a step on a node may take on top of its policy: its rows in the database.
const NODE_MARGIN: Duration = Duration::from_secs(15);
/// Pauses between two tries on a node: doubled from the first to the last.
const NODE_PAUSE: Duration = Duration::from_millis(500);
const NODE_PAUSE_MAX: Duration = Duration::from_secs(10);

/// A sweep over every live row.
const SWEEP: Duration = Duration::from_mins(10);
const SWEEP_ATTEMPTS: u32 = 3;

/// A hundred machines, a few at once, each with its own time-out.
const HEALTH: Duration = Duration::from_mins(15);
const HEALTH_ATTEMPTS: u32 = 2;

/// A step of a rotation: a few rows, and the KMS.
const ROTATION_TRY: Duration = Duration::from_mins(1);

/// Usage of a window, or a step's accounts.
const BILLING: Duration = Duration::from_mins(10);
/// A database that is away is waited for, however long that takes.
const BILLING_PAUSE_MAX: Duration = Duration::from_secs(30);

const COMPARISON_ATTEMPTS: u32 = 20;

/// Reading every row of a table that has become too large.
const MAINTENANCE: Duration = Duration::from_hours(6);
const MAINTENANCE_PAUSE_MAX: Duration = Duration::from_secs(15);
const MAINTENANCE_ATTEMPTS: u32 = 60;

/// The history's length at which a run continues as a new one.
pub(crate) const HISTORY_EVENTS: u32 = 2_000;
/// The age at which it does.
pub(crate) const RUN_AGE: Duration = Duration::from_hours(30 * 24);
/// Pause before a degraded allocation is set up again on a node that seems well.
pub(crate) const HEAL_PAUSE: Duration = Duration::from_mins(1);
/// Pause before a row that somebody else moved is read again.
pub(crate) const CONFLICT_PAUSE: Duration = Duration::from_secs(1);

/// A step that is one short transaction. It is never cancelled.
pub(crate) fn database(summary: &str) -> LocalActivityOptions {
    LocalActivityOptions::builder()
        .summary(summary.to_owned())
        .start_to_close_timeout(DATABASE_TRY)
        .schedule_to_close_timeout(DATABASE_PATIENCE)
        .timer_backoff_threshold(DATABASE_LOCAL_PAUSE)
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_millis(200))
                .maximum_interval(Duration::from_secs(10))
                .non_retryable_error_types([failure::STATE_CONFLICT])
                .build(),
        )
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// A step on a node that can be replaced: a fault of the node ends it at once, a node that does
/// not answer is tried again for `patience_seconds`. A cancelled step is waited for, so that nothing
/// goes on behind the undo's back.
pub(crate) fn on_node(
    summary: &str,
    timeout_seconds: u32,
    patience_seconds: u32,
    token: WorkflowCancellationToken,
) -> ActivityOptions {
    ActivityOptions::with_close_timeouts(tries(timeout_seconds, patience_seconds))
        .task_queue(queue::NODE_IO)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .cancellation_type(ActivityCancellationType::WaitCancellationCompleted)
        .cancellation_token(token)
        .retry_policy(again_for(
            patience_seconds,
            &[
                failure::NODE_FAULT,
                failure::TARGET_DENIED,
                failure::STATE_CONFLICT,
            ],
        ))
        .build()
}

/// A step that takes something back from a node: no other node can do it, so faults are waited
/// out for `patience_seconds`. It is never cancelled.
pub(crate) fn undo_on_node(
    summary: &str,
    timeout_seconds: u32,
    patience_seconds: u32,
) -> ActivityOptions {
    ActivityOptions::with_close_timeouts(tries(timeout_seconds, patience_seconds))
        .task_queue(queue::NODE_IO)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .cancellation_token(WorkflowCancellationToken::new())
        .retry_policy(again_for(
            patience_seconds,
            &[failure::TARGET_DENIED, failure::STATE_CONFLICT],
        ))
        .build()
}

/// One look at everything. What it did not come to, the next one on the schedule does.
pub(crate) fn sweep(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(SWEEP)
        .task_queue(queue::MAINTENANCE)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .retry_policy(
            RetryPolicy::builder()
                .maximum_attempts(SWEEP_ATTEMPTS)
                .build(),
        )
        .build()
}

/// Looks at a batch of machines.
pub(crate) fn health(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(HEALTH)
        .task_queue(queue::NODE_IO)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .retry_policy(
            RetryPolicy::builder()
                .maximum_attempts(HEALTH_ATTEMPTS)
                .build(),
        )
        .build()
}

/// A step of metering or billing: one transaction, which may be a long one, tried until it is done.
pub(crate) fn billing(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(BILLING)
        .task_queue(queue::BILLING)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_millis(500))
                .maximum_interval(BILLING_PAUSE_MAX)
                .non_retryable_error_types([failure::STATE_CONFLICT])
                .build(),
        )
        .build()
}

/// A comparison: it reads a lot, and tomorrow's is not far.
pub(crate) fn comparison(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(BILLING)
        .task_queue(queue::BILLING)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .retry_policy(
            RetryPolicy::builder()
                .maximum_interval(BILLING_PAUSE_MAX)
                .maximum_attempts(COMPARISON_ATTEMPTS)
                .build(),
        )
        .build()
}

/// The end of a run, which is owed whatever became of it. It is never cancelled.
pub(crate) fn billing_end(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(DATABASE_TRY)
        .task_queue(queue::BILLING)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .cancellation_token(WorkflowCancellationToken::new())
        .build()
}

/// A step of a rotation: short, and tried until it is done, as a stolen key waits for nobody. It is
/// never cancelled.
pub(crate) fn rotation(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(ROTATION_TRY)
        .task_queue(queue::SECURITY)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .cancellation_token(WorkflowCancellationToken::new())
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_millis(500))
                .maximum_interval(Duration::from_secs(10))
                .non_retryable_error_types([failure::STATE_CONFLICT])
                .build(),
        )
        .build()
}

/// A step with a table that only grows. Most are over at once; a bound of a large table takes long to
/// be proved. One that others keep from its lock is tried again, and tomorrow's is not far.
pub(crate) fn maintenance(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(MAINTENANCE)
        .task_queue(queue::MAINTENANCE)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_millis(200))
                .maximum_interval(MAINTENANCE_PAUSE_MAX)
                .maximum_attempts(MAINTENANCE_ATTEMPTS)
                .non_retryable_error_types([failure::STATE_CONFLICT])
                .build(),
        )
        .build()
}

/// Reads the whole audit log. Tomorrow's is not far, and partitions have to be made meanwhile.
pub(crate) fn proof(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(MAINTENANCE)
        .task_queue(queue::MAINTENANCE)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .retry_policy(
            RetryPolicy::builder()
                .maximum_attempts(SWEEP_ATTEMPTS)
                .non_retryable_error_types([failure::STATE_CONFLICT])
                .build(),
        )
        .build()
}

/// Where such a run begins or ends: a few rows, waited for however long the database is away. It is
/// never cancelled.
pub(crate) fn maintenance_end(summary: &str) -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(DATABASE_TRY)
        .task_queue(queue::MAINTENANCE)
        .summary(summary)
        .heartbeat_timeout(HEARTBEAT)
        .cancellation_token(WorkflowCancellationToken::new())
        .retry_policy(
            RetryPolicy::builder()
                .initial_interval(Duration::from_millis(500))
                .maximum_interval(BILLING_PAUSE_MAX)
                .non_retryable_error_types([failure::STATE_CONFLICT])
                .build(),
        )
        .build()
}

/// One try, and time for more of them.
fn tries(timeout_seconds: u32, patience_seconds: u32) -> ActivityCloseTimeouts {
    let start_to_close = Duration::from_secs(timeout_seconds.into()) + NODE_MARGIN;
    ActivityCloseTimeouts::ScheduleAndStartToClose {
        schedule_to_close: start_to_close + Duration::from_secs(patience_seconds.into()),
        start_to_close,
    }
}

/// As many tries as have their pauses within the patience, one at least. Counted and not timed, so
/// that a queue which nobody serves uses none of them up.
fn again_for(patience_seconds: u32, for_good: &[&'static str]) -> RetryPolicy {
    RetryPolicy::builder()
        .initial_interval(NODE_PAUSE)
        .maximum_interval(NODE_PAUSE_MAX)
        .maximum_attempts(attempts(patience_seconds))
        .non_retryable_error_types(for_good.iter().copied())
        .build()
}

fn attempts(patience_seconds: u32) -> u32 {
    let mut left = Duration::from_secs(patience_seconds.into());
    let mut pause = NODE_PAUSE;
    let mut attempts = 1;
    while let Some(rest) = left.checked_sub(pause) {
        left = rest;
        pause = (pause * 2).min(NODE_PAUSE_MAX);
        attempts += 1;
    }
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_counts_pauses() {
        for (seconds, expected) in [(0, 1), (1, 2), (2, 3), (8, 5), (16, 6), (26, 7), (120, 16)] {
            assert_eq!(attempts(seconds), expected, "{seconds} s");
        }
    }
}
