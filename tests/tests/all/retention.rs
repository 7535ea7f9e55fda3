//! What has served its time is forgotten, and nothing else.

use std::time::Duration;

use activities::retention::{forget, lag_seconds};
use domain::data_growth::Guarded;
use domain::retention::Forgotten;
use tests::{eventually, rough_stack};

use tests::scratch::{Scratch, execute, input};

const LIMIT: Duration = Duration::from_mins(3);

async fn count(scratch: &Scratch, table: &str) -> i64 {
    let sql = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    let count = sqlx::query_scalar(sql).fetch_one(&scratch.root);
    count.await.expect("a count")
}

/// `whole` days ago, as an id of a table whose ids tell their time.
const ID: &str = "(lpad(to_hex((extract(epoch from now() - make_interval(days => days)) * 1000)::bigint), 12, '0')
                   || substr(replace(gen_random_uuid()::text, '-', ''), 13))::uuid";

/// Rows that ended this many days ago; -1: they have not.
async fn write(scratch: &Scratch, what: Forgotten, days: &[i32]) {
    let days: Vec<String> = days.iter().map(|day| format!("({day})")).collect();
    let from = format!("from (values {}) as v (days)", days.join(", "));
    let sql = match what {
        Forgotten::IdempotencyKeys => format!(
            "insert into idempotency_keys (org_id, principal, method, route, key, fingerprint, status, resource_kind,
                                           resource_id, expires_at)
             select uuid_v7(), 'p', 'POST', '/', 'k', sha256('x'), 201, 'thing', 'x', now() - make_interval(days => days) {from}"
        ),
        Forgotten::TerminalSessions => format!(
            "insert into terminal_sessions (id, org_id, allocation_id, user_id, ticket_hash, purpose, origin, created_at)
             select {ID}, uuid_v7(), uuid_v7(), uuid_v7(), sha256(days::text::bytea), 'terminal', 'x',
                    now() - make_interval(days => days) {from}"
        ),
        Forgotten::BrowserSessions => format!(
            "insert into browser_sessions (id, identity_id, secret_sha256, provider_key_id, for_operator, token_issued_at,
                                           idle_seconds, created_at, expires_at)
             select uuid_v7(), uuid_v7(), sha256(days::text::bytea), 'k', false, now(), 60, now() - interval '10 years',
                    now() - make_interval(days => days) {from}"
        ),
        Forgotten::DeadLetters => format!(
            "insert into dead_letters (id, source, source_id, source_created_at, subject, reason, attempts, replayed_at)
             select uuid_v7(), 'event', uuid_v7(), now(), 'x', 'x', 1,
                    case when days >= 0 then now() - make_interval(days => days) end {from}"
        ),
        Forgotten::OutboxEvents => format!(
            "insert into outbox_events (id, created_at, type, aggregate_kind, aggregate_id, seq, data, published_at)
             select id, uuid_v7_at(id), 'berth.test.thing.made', 'thing', id, 1, '{{}}',
                    case when days >= 0 then now() - make_interval(days => days) end
             from (select {ID} as id, days {from}) as made"
        ),
        Forgotten::WorkflowIntents => format!(
            "insert into workflow_intents (id, created_at, kind, workflow_type, workflow_id, resource_id, delivered_at)
             select id, uuid_v7_at(id), 'start', 'x', 'x', id,
                    case when days >= 0 then now() - make_interval(days => days) end
             from (select {ID} as id, days {from}) as made"
        ),
    };
    // Foreign keys are of no concern here.
    let sql = format!("begin; set local session_replication_role = replica; {sql}; commit");
    execute(&scratch.root, sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_is_kept_for_its_time_and_no_longer() {
    let scratch = Scratch::new().await;
    // Events stay for good unless somebody says otherwise.
    write(&scratch, Forgotten::OutboxEvents, &[400]).await;
    let none = forget(&scratch.worker, Forgotten::OutboxEvents).await;
    assert_eq!(none.expect("a look"), 0);
    execute(&scratch.root, "delete from outbox_events".to_owned()).await;
    for what in Forgotten::ALL.iter().copied() {
        scratch.set(what.policy().key, 864_000).await;
        write(&scratch, what, &[400, 11, 9, 0, -1]).await;
        let gone = forget(&scratch.worker, what).await.expect("forgotten");
        assert_eq!(gone, 2, "{what}");
        assert_eq!(count(&scratch, what.as_str()).await, 3, "{what}");
        assert_eq!(
            forget(&scratch.worker, what).await.expect("again"),
            0,
            "{what}"
        );
        let mut conn = scratch.worker.acquire().await.expect("a connection");
        let oldest = db::retention::oldest(&mut conn, what)
            .await
            .expect("a look");
        let age = scratch.now().await - oldest.expect("one is left");
        assert_eq!(age.whole_days(), 9, "{what}");
    }
}

/// What nobody has delivered stays, however old it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_is_not_forgotten() {
    let scratch = Scratch::new().await;
    for what in [Forgotten::OutboxEvents, Forgotten::WorkflowIntents] {
        scratch.set(what.policy().key, 1).await;
        write(&scratch, what, &[400]).await;
        let owed = format!(
            "update {what} set {} = null",
            match what {
                Forgotten::OutboxEvents => "published_at",
                _ => "delivered_at",
            }
        );
        execute(&scratch.root, owed).await;
        assert_eq!(
            forget(&scratch.worker, what).await.expect("a look"),
            0,
            "{what}"
        );
    }
}

/// More than go in one transaction; one that somebody works on is left for the next time.
#[tokio::test(flavor = "multi_thread")]
async fn batches_follow_each_other() {
    let scratch = Scratch::new().await;
    let what = Forgotten::IdempotencyKeys;
    write(&scratch, what, &[30; 2_500]).await;
    let mut tx = scratch.root.begin().await.expect("a transaction");
    sqlx::query("select from idempotency_keys limit 1 for update")
        .execute(&mut *tx)
        .await
        .expect("a lock");
    assert_eq!(
        forget(&scratch.worker, what).await.expect("forgotten"),
        2_499
    );
    tx.rollback().await.expect("let go");
    assert_eq!(forget(&scratch.worker, what).await.expect("forgotten"), 1);
}

/// Partitions go whole, and what is to be archived goes by them.
#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_by_partitions_is_left_alone() {
    let scratch = Scratch::new().await;
    let what = Forgotten::WorkflowIntents;
    scratch
        .set("partition.workflow_intents_kept_seconds", 1)
        .await;
    scratch.set("partition.workflow_intents_archive", 1).await;
    write(&scratch, what, &[400, 30]).await;
    assert_eq!(forget(&scratch.worker, what).await.expect("a look"), 0);
    let lag = async || {
        let mut conn = scratch.worker.acquire().await.expect("a connection");
        lag_seconds(&mut conn, what).await.expect("a look")
    };
    assert!(lag().await < f64::EPSILON, "it waits for its archive");
    execute(
        &scratch.root,
        "delete from policy_values where key = 'partition.workflow_intents_archive'".to_owned(),
    )
    .await;
    assert!(lag().await > 399.0 * 86_400.0, "people hear of it");
    let (steps, table) = (scratch.steps(), input(Guarded::WorkflowIntents));
    steps.bind_at(table, None).await.expect("bound");
    steps.prove_all(table).await.expect("proved");
    assert!(steps.swap(table).await.expect("converted"));
    assert_eq!(forget(&scratch.worker, what).await.expect("a look"), 0);
    assert_eq!(count(&scratch, "workflow_intents").await, 2);
    assert!(lag().await < f64::EPSILON, "it goes whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_comes_by_on_its_schedule() {
    let stack = rough_stack().await;
    crate::sweep::trigger(&stack, "retention").await;
    crate::sweep::record_one(&stack, "Retention", "retention").await;
    let gauge = "retention_lag_seconds{table=\"idempotency_keys\"}";
    eventually("the gauge", LIMIT, || async {
        let metrics = stack.relay_metrics().await;
        metrics.contains(gauge).then_some(())
    })
    .await;
}
