//! A year goes by, made by data.

use activities::partition::Partitions;
use db::PgPool;
use domain::data_growth::Guarded;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use tests::scratch::{Scratch, execute, input};

pub(super) async fn names(pool: &PgPool, table: Guarded) -> Vec<String> {
    let mut conn = pool.acquire().await.expect("a connection");
    let list = db::partition::list(&mut conn, Some(table)).await;
    let names = list.expect("partitions").into_iter();
    names.map(|partition| partition.name).collect()
}

/// The first three steps, as of an instant.
pub(super) async fn convert(steps: &Partitions, table: Guarded, now: OffsetDateTime) {
    let input = input(table);
    steps.bind_at(input, Some(now)).await.expect("bound");
    steps.prove_all(input).await.expect("proved");
    assert!(steps.swap(input).await.expect("converted"));
}

/// `usage_records_p20270201` for each first of a month from `first` on, as far as `last`.
fn months(table: Guarded, mut first: (i32, u8), last: (i32, u8)) -> Vec<String> {
    let mut names = Vec::new();
    while first <= last {
        names.push(format!("{table}_p{}{:02}01", first.0, first.1));
        first = match first {
            (year, 12) => (year + 1, 1),
            (year, month) => (year, month + 1),
        };
    }
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn each_month_has_its_partition_before_it_comes() {
    let scratch = Scratch::new().await;
    let steps = scratch.steps();
    let table = Guarded::UsageRecords;
    let start = datetime!(2027-01-20 12:00 UTC);
    scratch.use_at(&[start - Duration::days(40), start]).await;
    convert(&steps, table, start).await;

    // January is in the first partition, and so is February: it was ahead when the bound was set.
    let mut goal = (2027, 4);
    let mut written = 2;
    for month in 1_u8..=12 {
        let now = datetime!(2027-01-20 12:00 UTC)
            .replace_month(month.try_into().expect("a month"))
            .expect("a day that each month has");
        let added = steps.premake_at(input(table), Some(now)).await;
        let added = added.expect("partitions");
        let mut expected = vec!["usage_records_first".to_owned()];
        expected.extend(months(table, (2027, 3), goal));
        assert_eq!(names(&scratch.owner, table).await, expected, "{now}");
        assert_eq!(added.len(), if month == 1 { 2 } else { 1 }, "{now}");
        let again = steps.premake_at(input(table), Some(now)).await;
        assert_eq!(again.expect("partitions"), Vec::<String>::new(), "{now}");
        scratch.use_at(&[now, now + Duration::days(30)]).await;
        written += 2;
        goal = match goal {
            (year, 12) => (year + 1, 1),
            (year, month) => (year, month + 1),
        };
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from usage_records")
        .fetch_one(&scratch.worker)
        .await
        .expect("a count");
    assert_eq!(rows, written);
    // Each row is where its day belongs.
    let astray: i64 = sqlx::query_scalar(
        "select count(*) from usage_records r join table_partitions p on p.relid = r.tableoid
         where r.created_at >= p.until or r.created_at < p.since",
    )
    .fetch_one(&scratch.owner)
    .await
    .expect("a count");
    assert_eq!(astray, 0);
    assert!(ends_behind(&scratch, datetime!(2028-04-01 0:00 UTC)).await);
}

/// The same with what leaves: the list moves on at both of its ends, and what is gone lies in archives.
#[tokio::test(flavor = "multi_thread")]
async fn a_year_comes_and_goes() {
    let scratch = Scratch::new().await;
    for (key, value) in [
        ("partition.outbox_events_interval", 2),
        ("partition.outbox_events_ahead", 3),
        ("partition.outbox_events_kept_seconds", 60 * 86_400),
        ("partition.outbox_events_archive", 1),
    ] {
        scratch.set(key, value).await;
    }
    let (steps, table) = (scratch.steps(), Guarded::OutboxEvents);
    let start = datetime!(2027-01-20 12:00 UTC);
    scratch.event_at(start - Duration::days(40), true).await;
    convert(&steps, table, start).await;
    let mut written = 1;
    for month in 1_u8..=12 {
        let now = start
            .replace_month(month.try_into().expect("a month"))
            .expect("a day that each month has");
        let added = steps.premake_at(input(table), Some(now)).await;
        added.expect("partitions");
        scratch.event_at(now, true).await;
        written += 1;
        loop {
            let archived = steps.archive_at(input(table), Some(now)).await;
            archived.expect("an archive");
            let dropped = steps.expire_at(input(table), Some(now)).await;
            if dropped.expect("a look").is_none() {
                break;
            }
        }
        let last = match month {
            10.. => (2028, month - 9),
            _ => (2027, month + 3),
        };
        // The first partition ends with February; sixty days later is the end of April.
        let expected = if month < 5 {
            let mut names = vec!["outbox_events_first".to_owned()];
            names.extend(months(table, (2027, 3), last));
            names
        } else {
            months(table, (2027, month - 2), last)
        };
        assert_eq!(names(&scratch.owner, table).await, expected, "{now}");
        let all: i64 = sqlx::query_scalar(
            "select (select count(*) from outbox_events)
                    + (select coalesce(sum(row_count), 0) from archives where dropped_at is not null)::bigint",
        )
        .fetch_one(&scratch.worker)
        .await
        .expect("counts");
        assert_eq!(all, written, "{now}");
    }
}

/// The gauge that people are called by tells where the last partition ends.
async fn ends_behind(scratch: &Scratch, until: OffsetDateTime) -> bool {
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    let ends = db::partition::ends(&mut conn).await.expect("ends");
    ends == [(Guarded::UsageRecords, until)]
}

#[tokio::test(flavor = "multi_thread")]
async fn another_interval_goes_on_where_the_old_one_ended() {
    let scratch = Scratch::new().await;
    let steps = scratch.steps();
    let table = Guarded::OutboxEvents;
    let start = datetime!(2027-02-25 12:00 UTC);
    convert(&steps, table, start).await;
    steps
        .premake_at(input(table), Some(start))
        .await
        .expect("days");
    let days = names(&scratch.owner, table).await;
    assert_eq!(
        days.first().map(String::as_str),
        Some("outbox_events_first")
    );
    assert_eq!(
        days.last().map(String::as_str),
        Some("outbox_events_p20270304")
    );
    assert_eq!(days.len(), 4);
    scratch.set("partition.outbox_events_interval", 1).await;
    scratch.set("partition.outbox_events_ahead", 2).await;
    let added = steps.premake_at(input(table), Some(start)).await;
    // Up to a Monday, and on from there.
    assert_eq!(
        added.expect("weeks"),
        ["outbox_events_p20270305", "outbox_events_p20270308"]
    );
    let later = datetime!(2027-03-09 0:00 UTC);
    let added = steps.premake_at(input(table), Some(later)).await;
    assert_eq!(
        added.expect("weeks"),
        ["outbox_events_p20270315", "outbox_events_p20270322"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handed_on_leaves_after_its_time_and_nothing_else_does() {
    let scratch = Scratch::new().await;
    scratch
        .set("partition.outbox_events_kept_seconds", 2_592_000)
        .await;
    let steps = scratch.steps();
    let table = Guarded::OutboxEvents;
    let start = datetime!(2027-03-01 12:00 UTC);
    scratch.event_at(start - Duration::days(3), true).await;
    convert(&steps, table, start).await;
    steps
        .premake_at(input(table), Some(start))
        .await
        .expect("days");
    scratch.event_at(start + Duration::days(6), true).await;
    let owed = scratch.event_at(start + Duration::days(7), false).await;
    let expire = async |now| {
        let mut dropped = Vec::new();
        while let Some(name) = steps
            .expire_at(input(table), Some(now))
            .await
            .expect("a look")
        {
            dropped.push(name);
        }
        dropped
    };
    // The first partition holds all until the 6th, and is kept for thirty days behind that.
    assert_eq!(
        expire(datetime!(2027-04-04 23:59 UTC)).await,
        Vec::<String>::new()
    );
    assert_eq!(
        expire(datetime!(2027-04-05 0:00 UTC)).await,
        ["outbox_events_first"]
    );
    // Killed between the two halves of it: the next one ends it.
    let listed = names(&scratch.owner, table).await;
    execute(
        &scratch.owner,
        format!("select partition_mark('{}')", listed[0]),
    )
    .await;
    let broken = format!(
        "alter table {table} detach partition {} concurrently",
        listed[0]
    );
    execute(&scratch.owner, broken).await;
    let later = datetime!(2027-05-01 0:00 UTC);
    assert_eq!(
        expire(later).await,
        ["outbox_events_p20270306", "outbox_events_p20270307"]
    );
    // What waits to be delivered keeps its partition, and those behind it.
    let left = names(&scratch.owner, table).await;
    assert_eq!(
        left.first().map(String::as_str),
        Some("outbox_events_p20270308")
    );
    scratch.publish(owed).await;
    assert_eq!(expire(later).await.len(), left.len());
    // Those of money, use and people stay for good.
    for table in [
        Guarded::UsageRecords,
        Guarded::LedgerEntries,
        Guarded::AuditLogs,
    ] {
        let dropped = steps.expire_at(input(table), Some(later)).await;
        assert_eq!(dropped.expect("a look"), None);
    }
    let audited: i64 =
        sqlx::query_scalar("select count(*) from audit_logs where action = 'partition.drop'")
            .fetch_one(&scratch.worker)
            .await
            .expect("a count");
    assert_eq!(audited, 3 + i64::try_from(left.len()).expect("few"));
}

/// What somebody else has detached is his, whatever its name is; and nothing is put in its place.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_detached_by_hand_is_left_alone() {
    let scratch = Scratch::new().await;
    scratch
        .set("partition.outbox_events_kept_seconds", 3_600)
        .await;
    let steps = scratch.steps();
    let (table, start) = (Guarded::OutboxEvents, datetime!(2027-03-01 12:00 UTC));
    convert(&steps, table, start).await;
    let before = steps.premake_at(input(table), Some(start)).await;
    let last = before.expect("days").pop().expect("some");
    let detach =
        |name: &str| format!("alter table outbox_events detach partition {name} concurrently");
    execute(&scratch.owner, detach("outbox_events_first")).await;
    execute(&scratch.owner, detach(&last)).await;
    let later = datetime!(2027-03-06 12:00 UTC);
    let dropped = steps.expire_at(input(table), Some(later)).await;
    assert_eq!(dropped.expect("a look"), None);
    let there: i64 = sqlx::query_scalar(
        "select count(*) from pg_class where relname in ('outbox_events_first', $1)",
    )
    .bind(&last)
    .fetch_one(&scratch.owner)
    .await
    .expect("a count");
    assert_eq!(there, 2);
    let refused = steps.premake_at(input(table), Some(start)).await;
    let refused = refused.expect_err("there is a table of that name");
    assert!(refused.is_conflict(), "{refused:?}");
    // Tables of others have partitions, too.
    let other = "create table mine (day int) partition by range (day);
                 create table mine_all partition of mine default";
    execute(&scratch.owner, other.to_owned()).await;
    assert_eq!(names(&scratch.owner, table).await.len(), 2);
    assert!(ends_count(&scratch).await == 1);
}

async fn ends_count(scratch: &Scratch) -> usize {
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    let ends = db::partition::ends(&mut conn).await;
    ends.expect("ends").len()
}

/// Whoever logs in, what is made belongs to whom the table belonged.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_belongs_to_the_owner() {
    let scratch = Scratch::new().await;
    let steps = Partitions {
        owner: scratch.root.clone(),
        ..scratch.steps()
    };
    let (table, start) = (Guarded::LedgerEntries, datetime!(2027-03-01 12:00 UTC));
    convert(&steps, table, start).await;
    let added = steps.premake_at(input(table), Some(start)).await;
    assert!(!added.expect("months").is_empty());
    let owners: Vec<String> = sqlx::query_scalar(
        "select distinct pg_get_userbyid(relowner)::text from pg_class where relname like 'ledger\\_entries%'",
    )
    .fetch_all(&scratch.root)
    .await
    .expect("owners");
    assert_eq!(owners, ["berth_owner"]);
}
