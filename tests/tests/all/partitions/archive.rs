//! Partitions leave the database for the object store, and come back the same.

use contract::partition::ArchiveInput;
use domain::data_growth::Guarded;
use domain::id::MaintenanceId;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::year::{convert, names};
use tests::scratch::{Scratch, execute, id_at, input};

const TABLE: Guarded = Guarded::OutboxEvents;
const KEPT: Duration = Duration::days(93);
pub(super) const START: OffsetDateTime = datetime!(2027-03-01 12:00 UTC);
/// When all that was written by then has served its time.
pub(super) const LATER: OffsetDateTime = datetime!(2028-06-01 0:00 UTC);

/// Events that were handed on: with nulls and without, and JSON of several forms.
pub(super) async fn events_at(scratch: &Scratch, instants: &[OffsetDateTime]) {
    for (number, at) in instants.iter().enumerate() {
        sqlx::query(
            "insert into outbox_events (id, created_at, org_id, type, aggregate_kind, aggregate_id, seq, data,
                                        attempts, last_error, published_at)
             values ($1, uuid_v7_at($1), case when $2 % 2 = 0 then $1 end, 'berth.test.thing.made', 'thing', $1, 1,
                     jsonb_build_object('number', $2, 'list', jsonb_build_array($2, null, 1.5, 'x')), $2::integer,
                     case when $2 % 3 = 0 then 'a \"quoted\" tëxt' end, uuid_v7_at($1) + interval '1.000001 seconds')",
        )
        .bind(id_at(*at))
        .bind(i64::try_from(number).expect("few"))
        .execute(&scratch.worker)
        .await
        .expect("a row");
    }
}

/// What all rows of a table are, wherever they lie in it.
pub(super) async fn content(scratch: &Scratch, table: Guarded) -> Option<String> {
    let sql = format!("select md5(string_agg(t::text, '|' order by id)) from {table} as t");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(&scratch.root)
        .await
        .expect("rows")
}

pub(crate) async fn archives(scratch: &Scratch) -> Vec<db::archive::Archive> {
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    let all = db::archive::list(&mut conn, db::archive::Which::default(), None, 100).await;
    all.expect("archives")
}

pub(crate) fn of(archive: &db::archive::Archive) -> ArchiveInput {
    ArchiveInput {
        maintenance_id: MaintenanceId::from_uuid(Uuid::nil()),
        archive_id: archive.id,
    }
}

pub(super) const BEFORE: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);
pub(super) const MONTHS: [OffsetDateTime; 3] = [
    datetime!(2027-05-03 0:00 UTC),
    datetime!(2027-05-31 23:59:59.999 UTC),
    datetime!(2027-06-01 0:00 UTC),
];

/// A plain outbox that keeps its events for a while, and then elsewhere.
pub(super) async fn archiving() -> Scratch {
    let scratch = Scratch::new().await;
    scratch.set("partition.outbox_events_interval", 2).await;
    scratch
        .set("partition.outbox_events_kept_seconds", KEPT.whole_seconds())
        .await;
    scratch.set("partition.outbox_events_archive", 1).await;
    scratch
}

/// A converted one whose rows lie in three partitions.
pub(super) async fn outbox() -> Scratch {
    let scratch = archiving().await;
    let steps = scratch.steps();
    events_at(&scratch, &[BEFORE, BEFORE, START]).await;
    convert(&steps, TABLE, START).await;
    let made = steps.premake_at(input(TABLE), Some(START)).await;
    made.expect("months");
    events_at(&scratch, &MONTHS).await;
    scratch
}

/// Runs both steps until nothing is due.
async fn run(scratch: &Scratch, table: Guarded, now: OffsetDateTime) -> Vec<String> {
    let steps = scratch.steps();
    let mut gone = Vec::new();
    loop {
        let archived = steps.archive_at(input(table), Some(now)).await;
        let archived = archived.expect("an archive");
        let dropped = steps.expire_at(input(table), Some(now)).await;
        let dropped = dropped.expect("a look");
        assert_eq!(archived, dropped);
        match dropped {
            Some(name) => gone.push(name),
            None => return gone,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_leaves_the_database_comes_back_the_same() {
    let scratch = outbox().await;
    let (steps, table) = (scratch.steps(), TABLE);
    let (before, partitions) = (
        content(&scratch, table).await,
        names(&scratch.owner, table).await,
    );
    assert!(
        run(&scratch, table, datetime!(2027-08-01 23:59 UTC))
            .await
            .is_empty()
    );
    let first = run(&scratch, table, datetime!(2027-08-02 0:00 UTC)).await;
    assert_eq!(first, ["outbox_events_first"]);
    let gone = run(&scratch, table, LATER).await;
    assert!(gone.len() >= 3, "{gone:?}");
    let kept = archives(&scratch).await;
    assert_eq!(kept.len(), 1 + gone.len());
    let rows: i64 = kept.iter().map(|one| one.rows).sum();
    assert_eq!(rows, 6);
    assert_eq!(content(&scratch, table).await, None);
    assert!(kept.iter().all(|one| one.dropped_at.is_some()));
    for one in &kept {
        steps.read_back(of(one)).await.expect("sound");
        let name = steps.bring_back(of(one)).await.expect("back");
        assert_eq!(name, one.partition);
        // Once more changes nothing.
        steps.bring_back(of(one)).await.expect("there already");
    }
    assert_eq!(content(&scratch, table).await, before);
    assert_eq!(names(&scratch.owner, table).await, partitions);
    // Until the time is over that they were brought back for.
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    let now = db::clock::now(&mut conn).await.expect("the time");
    assert_eq!(
        steps
            .expire_at(input(table), Some(now))
            .await
            .expect("a look"),
        None
    );
    drop(conn);
    // Again: the archives that there are do.
    let again = run(&scratch, table, LATER).await;
    assert_eq!(again.len(), kept.len());
    assert_eq!(archives(&scratch).await.len(), kept.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_table_is_as_good_as_a_new_one() {
    let scratch = outbox().await;
    let (steps, table) = (scratch.steps(), TABLE);
    let facts = "select json_agg(f order by f::text)::text from (
                   select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute
                   where attrelid = $1::regclass and attnum > 0
                   union all
                   select 'index', regexp_replace(pg_get_indexdef(indexrelid), ' INDEX \\S+ ', ' INDEX '), indisvalid
                   from pg_index where indrelid = $1::regclass
                   union all
                   select 'constraint', pg_get_constraintdef(oid), convalidated from pg_constraint where conrelid = $1::regclass
                   union all
                   select 'trigger', regexp_replace(pg_get_triggerdef(oid), ' ON \\S+', ''), tgisinternal
                   from pg_trigger where tgrelid = $1::regclass and not tgisinternal
                   union all
                   select 'policy', policyname || cmd || roles::text || coalesce(qual, ''), permissive = 'PERMISSIVE'
                   from pg_policies where tablename = $1
                   union all
                   select 'security ' || relrowsecurity || relforcerowsecurity, coalesce(relacl::text, ''), relispartition
                   from pg_class where oid = $1::regclass) as f";
    let partition = "outbox_events_p20270501";
    let read = || async {
        let facts: String = sqlx::query_scalar(facts)
            .bind(partition)
            .fetch_one(&scratch.root)
            .await
            .expect("facts");
        facts
    };
    let before = read().await;
    run(&scratch, table, LATER).await;
    let kept = archives(&scratch).await;
    let one = kept.iter().find(|one| one.partition == partition);
    steps
        .bring_back(of(one.expect("archived")))
        .await
        .expect("back");
    assert_eq!(read().await, before);
    assert_eq!(
        names(&scratch.owner, table)
            .await
            .first()
            .map(String::as_str),
        Some(partition)
    );
}

/// Whoever was killed left one of these behind; the next one finishes.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_leaves_nothing_that_the_next_one_cannot_finish() {
    let scratch = outbox().await;
    let (steps, table) = (scratch.steps(), TABLE);
    let before = content(&scratch, table).await;
    let look = Some(datetime!(2027-08-02 0:00 UTC));
    // Before the row was written: an object that nobody knows.
    let name = steps
        .archive_at(input(table), look)
        .await
        .expect("an archive");
    assert_eq!(name.as_deref(), Some("outbox_events_first"));
    let one = archives(&scratch).await.pop().expect("one");
    let file = scratch
        .dir
        .path()
        .join("objects/archives")
        .join(&one.object_path);
    execute(
        &scratch.root,
        "set local session_replication_role = replica; delete from archives".to_owned(),
    )
    .await;
    std::fs::write(&file, "half of it").expect("our folder");
    let refused = steps
        .expire_at(input(table), look)
        .await
        .expect_err("not archived");
    assert!(refused.is_conflict(), "{refused:?}");
    let listed = names(&scratch.owner, table).await;
    assert_eq!(
        listed.first().map(String::as_str),
        Some("outbox_events_first")
    );
    steps
        .archive_at(input(table), look)
        .await
        .expect("an archive");
    let one = archives(&scratch).await.pop().expect("one");
    // Between the halves of the detach, and before the drop.
    execute(
        &scratch.owner,
        "select partition_mark('outbox_events_first')".to_owned(),
    )
    .await;
    let detach = "alter table outbox_events detach partition outbox_events_first concurrently";
    execute(&scratch.owner, detach.to_owned()).await;
    std::fs::write(&file, "half of it").expect("our folder");
    steps
        .archive_at(input(table), look)
        .await
        .expect("written anew");
    let gone = steps.expire_at(input(table), look).await.expect("dropped");
    assert_eq!(gone.as_deref(), Some("outbox_events_first"));
    // A table that was about to become a partition again.
    let mut conn = scratch.owner.acquire().await.expect("a connection");
    let known = db::archive::find(&mut conn, one.id).await;
    let known = known.expect("a row").expect("an archive");
    db::archive::restore_begin(&mut conn, &known)
        .await
        .expect("a table");
    drop(conn);
    let half = "insert into outbox_events_first (id, created_at, type, aggregate_kind, aggregate_id, seq, data)
                select id, uuid_v7_at(id), 'berth.test.thing.made', 'thing', id, 1, '{}' from (select uuid_v7() as id) as made";
    execute(&scratch.owner, half.to_owned()).await;
    steps.bring_back(of(&one)).await.expect("back");
    assert_eq!(content(&scratch, table).await, before);
}

/// What no bill knows of stays; so do events, unless they are to be kept elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_owed_stays() {
    let scratch = Scratch::new().await;
    scratch.set("partition.usage_records_kept_seconds", 1).await;
    scratch.use_at(&[datetime!(2026-01-01 0:00 UTC)]).await;
    let (steps, table) = (scratch.steps(), Guarded::UsageRecords);
    convert(&steps, table, START).await;
    let archived = steps.archive_at(input(table), Some(LATER)).await;
    assert_eq!(archived.expect("a look"), None);
    assert_eq!(
        steps
            .expire_at(input(table), Some(LATER))
            .await
            .expect("a look"),
        None
    );
    let events = Guarded::OutboxEvents;
    scratch
        .set("partition.outbox_events_kept_seconds", 60)
        .await;
    scratch.event_at(START, true).await;
    convert(&steps, events, START).await;
    assert_eq!(
        steps
            .archive_at(input(events), Some(LATER))
            .await
            .expect("a look"),
        None
    );
    scratch.set("partition.outbox_events_archive", 1).await;
    let before = content(&scratch, events).await;
    assert_eq!(run(&scratch, events, LATER).await, ["outbox_events_first"]);
    let one = archives(&scratch).await.pop().expect("one");
    steps.bring_back(of(&one)).await.expect("back");
    assert_eq!(content(&scratch, events).await, before);
}

/// Between archive and drop a migration adds a column: what is in it leaves no database unarchived.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_migration_adds_is_archived_too() {
    let scratch = outbox().await;
    let steps = scratch.steps();
    steps
        .archive_at(input(TABLE), Some(LATER))
        .await
        .expect("an archive");
    let old = archives(&scratch).await.pop().expect("one");
    assert_eq!(old.manifest["schema_version"], db::schema_version());
    let grown = "alter table outbox_events add column note text not null default 'x'";
    execute(&scratch.owner, grown.to_owned()).await;
    let before = content(&scratch, TABLE).await;
    let refused = steps.expire_at(input(TABLE), Some(LATER)).await;
    assert!(refused.expect_err("not all of it").is_conflict());
    assert_eq!(content(&scratch, TABLE).await, before);
    steps
        .archive_at(input(TABLE), Some(LATER))
        .await
        .expect("another archive");
    let gone = steps.expire_at(input(TABLE), Some(LATER)).await;
    assert_eq!(
        gone.expect("dropped").as_deref(),
        Some("outbox_events_first")
    );
    let new = archives(&scratch).await.pop().expect("one");
    let columns = new.manifest["columns"].as_array().expect("a list");
    assert!(columns.iter().any(|column| column["name"] == "note"));
    steps.bring_back(of(&new)).await.expect("back");
    assert_eq!(content(&scratch, TABLE).await, before);
}

/// The database itself keeps what lies nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_without_its_archive() {
    let scratch = Scratch::new().await;
    for table in ["usage_records", "ledger_entries", "audit_logs"] {
        let steps = scratch.steps();
        convert(&steps, table.parse().expect("a table"), START).await;
        let first = format!("{table}_first");
        let mark = format!("select partition_mark('{first}')");
        execute(&scratch.owner, mark).await;
        let detach = format!("alter table {table} detach partition {first} concurrently");
        execute(&scratch.owner, detach).await;
        let dropped = sqlx::query("select partition_drop($1::text::regclass, '1 s')")
            .bind(&first)
            .execute(&scratch.owner)
            .await
            .expect_err("it was not archived");
        let error = dropped.into_database_error().expect("of the database");
        assert_eq!(error.constraint(), Some("partition_archived"), "{table}");
        // So that the next one can be converted, which is written down in the audit log.
        let attach = format!(
            "alter table {table} attach partition {first} for values from (minvalue) to ('2027-05-01')"
        );
        execute(&scratch.owner, attach).await;
    }
    // And what is known of an archive, once the rows are gone.
    let scratch = outbox().await;
    run(&scratch, TABLE, LATER).await;
    for change in [
        "update archives set dropped_at = null",
        "update archives set since = until - interval '1 day'",
        "delete from archives",
        "update archives set rows_sha256 = file_sha256",
        "truncate archives cascade",
    ] {
        let refused = sqlx::query(change).execute(&scratch.root).await;
        assert!(refused.is_err(), "{change}");
    }
}

/// A column whose type no archive holds would keep its table's partitions in the database for good.
#[tokio::test(flavor = "multi_thread")]
async fn every_column_has_its_form_in_an_archive() {
    let scratch = Scratch::new().await;
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    for table in Guarded::ALL {
        let columns = db::archive::columns(&mut conn, table.as_str()).await;
        for column in columns.expect("columns") {
            let kind: Result<archive::Kind, _> = column.kind.parse();
            assert!(kind.is_ok(), "{table}.{}: {}", column.name, column.kind);
        }
    }
}
