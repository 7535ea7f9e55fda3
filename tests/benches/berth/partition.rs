//! A table becomes partitions while it is written to and read, beside the two ways that others go:
//! a plain `ATTACH`, and `pg_partman`. Then an archive, and a look at a thousand partitions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use domain::data_growth::Guarded;
use futures::TryStreamExt as _;
use sqlx::PgPool;
use tests::scratch::{Scratch, execute, fresh, input, insert};
use time::macros::datetime;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::percentile;

const TABLE: Guarded = Guarded::UsageRecords;
const WRITERS: usize = 4;
const READERS: usize = 2;
/// Before anything is done to the table.
const IDLE: Duration = Duration::from_secs(5);
const ARCHIVED: i64 = 1_000_000;
const PARTITIONS: usize = 1_000;
const LOOKS: usize = 40;
/// An id of one of the last thirty days.
const SPREAD: &str =
    "(lpad(to_hex((extract(epoch from now()) * 1000)::bigint - (n * 7919333) % 2592000000), 12, '0')
                       || substr(replace(gen_random_uuid()::text, '-', ''), 13))::uuid";

/// What came of one way.
struct Way {
    name: String,
    took: Duration,
    /// The longest time that nobody else could read or write.
    locked: Duration,
    /// The longest that a writer waited before, and meanwhile.
    stalls: (Duration, Duration),
    /// The smallest share of the known rows that a reader saw.
    visible: f64,
}

pub(crate) async fn run() -> Vec<String> {
    let (few, many) = (rows(), 4 * rows());
    let mut ways = Vec::new();
    for rows in [few, many] {
        ways.push(way(&format!("berth, {rows} rows"), rows, &convert).await);
    }
    for rows in [few, many] {
        ways.push(way(&format!("a plain ATTACH, {rows} rows"), rows, &attach).await);
    }
    if partman_is_there().await {
        ways.push(way(&format!("pg_partman, {few} rows"), few, &partman).await);
    } else {
        println!("pg_partman: not installed, not measured");
    }
    println!(
        "{:<34} {:>9} {:>11} {:>12} {:>12} {:>8}",
        "conversion", "took", "locked", "stall before", "stall", "visible"
    );
    for one in &ways {
        println!(
            "{:<34} {:>7.2} s {:>8.0} ms {:>9.0} ms {:>9.0} ms {:>6.1} %",
            one.name,
            one.took.as_secs_f64(),
            millis(one.locked),
            millis(one.stalls.0),
            millis(one.stalls.1),
            one.visible * 100.0
        );
    }
    let ratio = |a: Duration, b: Duration| a.as_secs_f64() / b.as_secs_f64();
    let mut ratios = vec![
        format!(
            "partition: lock at four times the rows / lock: {:.2}",
            ratio(ways[1].locked, ways[0].locked)
        ),
        format!(
            "partition: lock of a plain ATTACH / lock: {:.0}",
            ratio(ways[2].locked, ways[0].locked)
        ),
        format!(
            "partition: worst stall / idle stall: {:.1}",
            ratio(ways[0].stalls.1, ways[0].stalls.0)
        ),
    ];
    ratios.extend(archive().await);
    ratios.extend(look().await);
    ratios
}

/// Two million if nobody says; the larger table has four times as many.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark has no settings file"
)]
fn rows() -> i64 {
    let given = std::env::var("BERTH_BENCH_ROWS").ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(2_000_000)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Goes one way on a table of that size, under load.
async fn way(name: &str, rows: i64, go: &impl AsyncFn(&Scratch)) -> Way {
    let scratch = Arc::new(Scratch::new().await);
    let sql = format!(
        "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                    meter, sku, quantity, started_at, ended_at)
         select id, uuid_v7_at(id), 1, id, id, id, id, 'gpu_seconds', 'none', 1, '2001-01-01', '2001-01-02'
         from (select {SPREAD} as id from generate_series(1, {rows}::bigint) as n) as made"
    );
    execute(&scratch.root, sql).await;
    for sql in ["vacuum analyze usage_records", "checkpoint"] {
        execute(&scratch.root, sql.to_owned()).await;
    }
    let load = Load::begin(&scratch, rows);
    tokio::time::sleep(IDLE).await;
    let before = load.worst_stall().await;
    let lock = tokio::spawn(locked(scratch.root.clone(), load.stop.clone()));
    let began = Instant::now();
    go(&scratch).await;
    let took = began.elapsed();
    let (visible, after) = load.end().await;
    let longest = lock.await.expect("a look at the locks");
    let (seen, known): (i64, i64) = sqlx::query_as(
        "select (select count(*) from usage_records), (select count(distinct id) from usage_records)",
    )
    .fetch_one(&scratch.root)
    .await
    .expect("counts");
    assert_eq!(seen, known, "{name}: no row twice");
    let alone = Arc::into_inner(scratch).expect("the load has ended");
    alone.drop_database().await;
    Way {
        name: name.to_owned(),
        took,
        locked: longest,
        stalls: (before, after),
        visible,
    }
}

/// Writers and readers of one table.
struct Load {
    stop: Arc<AtomicBool>,
    stall: Arc<Mutex<Duration>>,
    writers: Vec<tokio::task::JoinHandle<()>>,
    readers: Vec<tokio::task::JoinHandle<f64>>,
}

impl Load {
    fn begin(scratch: &Arc<Scratch>, rows: i64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicI64::new(rows));
        let stall = Arc::new(Mutex::new(Duration::ZERO));
        let writer = |_| {
            let (scratch, stop) = (scratch.clone(), stop.clone());
            let (written, stall) = (written.clone(), stall.clone());
            tokio::spawn(async move {
                while !stop.load(Ordering::SeqCst) {
                    let ids: Vec<Uuid> = (0..5).map(|_| fresh()).collect();
                    let began = Instant::now();
                    insert(&scratch.worker, &ids).await;
                    let took = began.elapsed();
                    written.fetch_add(5, Ordering::SeqCst);
                    let mut worst = stall.lock().await;
                    *worst = worst.max(took);
                }
            })
        };
        let reader = |_| {
            let (scratch, stop, written) = (scratch.clone(), stop.clone(), written.clone());
            tokio::spawn(async move {
                let mut visible: f64 = 1.0;
                while !stop.load(Ordering::SeqCst) {
                    let known = written.load(Ordering::SeqCst);
                    let seen: i64 = sqlx::query_scalar("select count(*) from usage_records")
                        .fetch_one(&scratch.worker)
                        .await
                        .expect("a count");
                    visible = visible.min(seen as f64 / known as f64);
                }
                visible
            })
        };
        Self {
            writers: (0..WRITERS).map(writer).collect(),
            readers: (0..READERS).map(reader).collect(),
            stop,
            stall,
        }
    }

    /// Since the last time that it was asked for.
    async fn worst_stall(&self) -> Duration {
        std::mem::take(&mut *self.stall.lock().await)
    }

    /// The smallest share of the known rows that a reader saw, and the worst stall: of those, too, who
    /// come to their end only now.
    async fn end(self) -> (f64, Duration) {
        self.stop.store(true, Ordering::SeqCst);
        for writer in self.writers {
            writer.await.expect("a writer");
        }
        let mut visible: f64 = 1.0;
        for reader in self.readers {
            visible = visible.min(reader.await.expect("a reader"));
        }
        let stall = *self.stall.lock().await;
        (visible, stall)
    }
}

/// The longest time that somebody had the table to himself, as the server lists it every millisecond;
/// a millisecond where nobody was ever seen to.
async fn locked(pool: PgPool, stop: Arc<AtomicBool>) -> Duration {
    let mut conn = pool.acquire().await.expect("a connection");
    let sql = "select exists (select from pg_locks l join pg_class c on c.oid = l.relation
                              where c.relname in ('usage_records', 'usage_records_first', 'usage_records_old')
                                and l.mode = 'AccessExclusiveLock' and l.granted
                                and l.database = (select oid from pg_database where datname = current_database()))";
    let mut longest = Duration::from_millis(1);
    let (mut free_at, mut seen) = (Instant::now(), false);
    while !stop.load(Ordering::SeqCst) {
        let held: bool = sqlx::query_scalar(sql)
            .fetch_one(&mut *conn)
            .await
            .expect("the locks");
        // From the last look that did not see it to the first that does not any more: never too short.
        if held || seen {
            longest = longest.max(free_at.elapsed());
        }
        if !held {
            free_at = Instant::now();
        }
        seen = held;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    longest
}

/// As the workflow does.
async fn convert(scratch: &Scratch) {
    let steps = scratch.steps();
    let once = async || {
        steps.bind_at(input(TABLE), None).await?;
        steps.prove_all(input(TABLE)).await?;
        steps.swap(input(TABLE)).await
    };
    while let Err(refusal) = once().await {
        assert!(refusal.is_busy(), "{refusal:?}");
    }
    let made = steps.premake_at(input(TABLE), None).await;
    assert!(!made.expect("partitions").is_empty());
}

const PARENT: &str = "alter table usage_records rename to usage_records_old;
    create table usage_records (like usage_records_old including defaults including constraints) partition by range (created_at);
    alter table usage_records add primary key (id, created_at);
    grant select, insert on usage_records to berth_worker";

/// As a first try would do it.
async fn attach(scratch: &Scratch) {
    let sql = format!(
        "begin; {PARENT};
         alter table usage_records attach partition usage_records_old for values from (minvalue) to ('2100-01-01');
         commit"
    );
    execute(&scratch.root, sql).await;
}

async fn partman_is_there() -> bool {
    let scratch = Scratch::new().await;
    let sql = "select exists (select from pg_available_extensions where name = 'pg_partman')";
    let there = sqlx::query_scalar(sql).fetch_one(&scratch.root).await;
    scratch.drop_database().await;
    there.expect("extensions")
}

/// As its guide says for a table that is written to: new rows go to the parent at once, old ones are
/// moved there in batches.
async fn partman(scratch: &Scratch) {
    for sql in [
        "create schema partman; create extension pg_partman schema partman".to_owned(),
        // What is moved is deleted there.
        "drop trigger refuse_change on usage_records".to_owned(),
        format!("begin; {PARENT}; select partman.create_parent('public.usage_records', 'created_at', 'native', 'daily');
                 grant select, insert on all tables in schema public to berth_worker; commit"),
        "call partman.partition_data_proc('public.usage_records', p_source_table := 'public.usage_records_old')".to_owned(),
    ] {
        execute(&scratch.root, sql).await;
    }
}

/// Writing a partition to the object store and reading it back, beside `COPY` alone.
async fn archive() -> Vec<String> {
    let scratch = Scratch::new().await;
    let (steps, table) = (scratch.steps(), input(Guarded::OutboxEvents));
    let filled = format!(
        "insert into outbox_events (id, created_at, org_id, type, aggregate_kind, aggregate_id, seq, data, published_at)
         select id, uuid_v7_at(id), id, 'berth.test.thing.made', 'thing', id, 1,
                jsonb_build_object('state', 'active', 'number', n, 'name', md5(n::text)), now()
         from (select {SPREAD} as id, n from generate_series(1, {ARCHIVED}::bigint) as n) as made"
    );
    execute(&scratch.root, filled).await;
    scratch
        .set("partition.outbox_events_kept_seconds", 3_600)
        .await;
    scratch.set("partition.outbox_events_archive", 1).await;
    steps.bind_at(table, None).await.expect("bound");
    steps.prove_all(table).await.expect("proved");
    assert!(steps.swap(table).await.expect("converted"));
    let mut copied = 0;
    let began = Instant::now();
    let mut conn = scratch.owner.acquire().await.expect("a connection");
    let sql = "copy (select * from outbox_events_first order by id) to stdout (format binary)";
    let mut pieces = conn.copy_out_raw(sql).await.expect("rows");
    while let Some(piece) = pieces.try_next().await.expect("a piece") {
        copied += piece.len();
    }
    drop(pieces);
    let copy = began.elapsed();
    drop(conn);
    let began = Instant::now();
    let name = steps.archive_at(table, Some(datetime!(2100-01-01 0:00 UTC)));
    let name = name.await.expect("an archive").expect("one");
    let archive = began.elapsed();
    let bytes: i64 =
        sqlx::query_scalar("select file_bytes from archives where partition_name = $1")
            .bind(&name)
            .fetch_one(&scratch.root)
            .await
            .expect("its size");
    scratch.drop_database().await;
    let rate = |took: Duration| ARCHIVED as f64 / took.as_secs_f64();
    println!("archive of {ARCHIVED} events: {copied} bytes as COPY, {bytes} as a file");
    println!("{:<42} {:>10.0} rows/s", "COPY alone", rate(copy));
    let what = "archived: written, signed, read back";
    println!("{what:<42} {:>10.0} rows/s", rate(archive));
    vec![
        format!(
            "archive: COPY / archive: {:.2}",
            copy.as_secs_f64() / archive.as_secs_f64()
        ),
        format!(
            "archive: file / COPY, bytes: {:.2}",
            bytes as f64 / copied as f64
        ),
    ]
}

/// What it costs to see how large the tables are, on a plain one and on a thousand partitions.
async fn look() -> Vec<String> {
    let scratch = Scratch::new().await;
    let (steps, table) = (scratch.steps(), input(Guarded::OutboxEvents));
    let plain = sample(&scratch).await;
    steps.bind_at(table, None).await.expect("bound");
    steps.prove_all(table).await.expect("proved");
    assert!(steps.swap(table).await.expect("converted"));
    let ahead = i64::try_from(PARTITIONS).expect("it fits");
    let far = scratch.now().await + time::Duration::days(ahead);
    let made = steps.premake_at(table, Some(far)).await;
    let made = made.expect("partitions").len();
    let many = sample(&scratch).await;
    scratch.drop_database().await;
    println!(
        "{:<42} {:>10.1} ms",
        "growth check, plain tables",
        millis(plain)
    );
    let what = format!("growth check, {made} partitions");
    println!("{what:<42} {:>10.1} ms", millis(many));
    vec![format!(
        "growth check: {made} partitions / plain: {:.1}",
        many.as_secs_f64() / plain.as_secs_f64()
    )]
}

/// Half of the looks took less.
async fn sample(scratch: &Scratch) -> Duration {
    let mut conn = scratch.worker.acquire().await.expect("a connection");
    let mut times = Vec::new();
    for _ in 0..LOOKS {
        let began = Instant::now();
        db::data_growth::sample(&mut conn).await.expect("sizes");
        times.push(began.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Duration::from_secs_f64(percentile(&times, 50))
}
