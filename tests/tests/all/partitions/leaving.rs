//! Partitions whose way out was broken off are seen until they are gone.

use std::time::Duration;

use db::archive::oldest_ends;
use domain::data_growth::Guarded;
use tests::eventually;
use tests::scratch::{Scratch, execute, input};
use time::OffsetDateTime;

use super::archive::{LATER, outbox};

const TABLE: Guarded = Guarded::OutboxEvents;
const FIRST: &str = "outbox_events_first";
const LIMIT: Duration = Duration::from_secs(30);

/// What is on its way out, and where the oldest rows end that have not left.
async fn seen(scratch: &Scratch) -> (Vec<String>, OffsetDateTime) {
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    let leaving = db::partition::leaving(&mut conn, TABLE).await;
    let ends = oldest_ends(&mut conn).await.expect("ends");
    let mut ends = ends.into_iter().filter(|(table, _)| *table == TABLE);
    (
        leaving.expect("names"),
        ends.next().expect("of the table").1,
    )
}

/// Ends the session that detaches when others keep it from its second half.
async fn break_off(scratch: &Scratch) {
    let mut reader = scratch.owner.begin().await.expect("a transaction");
    sqlx::query("select count(*) from outbox_events")
        .execute(&mut *reader)
        .await
        .expect("a lock that the second half waits for");
    let owner = scratch.owner.clone();
    let detach = format!("alter table {TABLE} detach partition {FIRST} concurrently");
    let detach = tokio::spawn(async move {
        let sql = sqlx::AssertSqlSafe(detach);
        sqlx::raw_sql(sql).execute(&owner).await
    });
    let ended = eventually("a half", LIMIT, || async {
        let ended: Option<bool> = sqlx::query_scalar(
            "select pg_terminate_backend(a.pid) from pg_stat_activity a
             where a.datname = current_database() and a.query like 'alter table outbox_events detach %'
               and exists (select from pg_inherits where inhdetachpending)",
        )
        .fetch_optional(&scratch.root)
        .await
        .expect("a look");
        ended
    });
    assert!(ended.await);
    detach.await.expect("a task").expect_err("it was ended");
    reader.rollback().await.expect("no more");
}

/// With half a detach of its first partition; and where that one ends.
async fn half_detached() -> (Scratch, OffsetDateTime) {
    let scratch = outbox().await;
    let (leaving, end) = seen(&scratch).await;
    assert_eq!(leaving, Vec::<String>::new());
    let archived = scratch.steps().archive_at(input(TABLE), Some(LATER)).await;
    assert_eq!(archived.expect("an archive").as_deref(), Some(FIRST));
    let mark = format!("select partition_mark('{FIRST}')");
    execute(&scratch.owner, mark).await;
    break_off(&scratch).await;
    (scratch, end)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_out_is_seen_until_it_is_gone() {
    let (scratch, end) = half_detached().await;
    let between = seen(&scratch).await;
    assert_eq!(between, (vec![FIRST.to_owned()], end));
    let finalize = format!("alter table {TABLE} detach partition {FIRST} finalize");
    execute(&scratch.owner, finalize).await;
    assert_eq!(seen(&scratch).await, between);
    let gone = scratch.steps().expire_at(input(TABLE), Some(LATER)).await;
    assert_eq!(gone.expect("dropped").as_deref(), Some(FIRST));
    let (leaving, later) = seen(&scratch).await;
    assert_eq!(leaving, Vec::<String>::new());
    assert!(later > end);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_detach_is_finished() {
    let (scratch, _) = half_detached().await;
    let steps = scratch.steps();
    let archived = steps.archive_at(input(TABLE), Some(LATER)).await;
    assert_eq!(archived.expect("a look").as_deref(), Some(FIRST));
    let gone = steps.expire_at(input(TABLE), Some(LATER)).await;
    assert_eq!(gone.expect("dropped").as_deref(), Some(FIRST));
    assert_eq!(seen(&scratch).await.0, Vec::<String>::new());
}
