//! A process that maintains a table is killed at any moment, and the next one finishes.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

use activities::partition::Partitions;
use activities::refusal::Refusal;
use db::PgPool;
use domain::data_growth::Guarded;
use serde::{Deserialize, Serialize};
use tests::scratch::{self, Pattern, Scratch, execute, input};
use tests::wire::{Ended, Wire};
use time::OffsetDateTime;
use tokio::process::Command;
use url::Url;
use uuid::Uuid;

use super::archive::{BEFORE, LATER, MONTHS, START, archives, archiving, content, of};
use super::books::findings;
use super::year::names;

/// What the other process is told to do its work with.
const WORK: &str = "BERTH_TEST_WORK";
/// At how many answers it is killed; `BERTH_KILLS` for more, `all` for every one.
const KILLS: usize = 8;

#[derive(Serialize, Deserialize)]
struct Work {
    table: Guarded,
    worker: Url,
    owner: Url,
    dir: PathBuf,
}

/// What others keep from its lock is tried again, as the workflow does.
async fn insist<T>(step: impl AsyncFn() -> Result<T, Refusal>) -> T {
    loop {
        match step().await {
            Ok(done) => return done,
            Err(refusal) => assert!(refusal.is_busy(), "{refusal:?}"),
        }
    }
}

/// From a plain table to one whose partitions have all left.
async fn maintain(steps: &Partitions, table: Guarded) {
    convert(steps, table).await;
    loop {
        let table = input(table);
        insist(async || steps.archive_at(table, Some(LATER)).await).await;
        let dropped = insist(async || steps.expire_at(table, Some(LATER)).await).await;
        if dropped.is_none() {
            return;
        }
    }
}

/// With rows in the partitions behind the first one.
async fn convert(steps: &Partitions, table: Guarded) {
    let about = input(table);
    insist(async || {
        steps.bind_at(about, Some(START)).await?;
        steps.prove_all(about).await?;
        steps.swap(about).await
    })
    .await;
    insist(async || steps.premake_at(about, Some(START)).await).await;
    write(&steps.pool, table, &MONTHS).await;
}

/// Rows of these instants, the same in each process. Whoever was killed had written them if anything
/// is archived.
async fn write(pool: &PgPool, table: Guarded, instants: &[OffsetDateTime]) {
    let sql = match table {
        Guarded::LedgerEntries => {
            "with made as (
               select * from unnest($1::uuid[], $2::uuid[]) as made (id, beside) where not exists (select from archives)
             ), moved as (
               insert into ledger_transactions (id, org_id, kind, key)
               select made.id, o.id, 'credit', made.id::text from made, organizations o
               on conflict do nothing
             )
             insert into ledger_entries (id, created_at, org_id, transaction_id, account, currency, amount_micros)
             select e.id, uuid_v7_at(e.id), o.id, made.id, e.account, 'USD', e.micros
             from made, organizations o,
                  lateral (values (made.id, 'receivable', 700), (made.beside, 'credits', -700)) as e (id, account, micros)
             on conflict do nothing"
        }
        _ => {
            "insert into outbox_events (id, created_at, type, aggregate_kind, aggregate_id, seq, data, published_at)
             select id, uuid_v7_at(id), 'berth.test.thing.made', 'thing', beside, 1, '{}', uuid_v7_at(id)
             from unnest($1::uuid[], $2::uuid[]) as made (id, beside)
             where not exists (select from archives)
             on conflict do nothing"
        }
    };
    let ids = |number| -> Vec<Uuid> { instants.iter().map(|at| id(*at, number)).collect() };
    sqlx::query(sql)
        .bind(ids(7))
        .bind(ids(8))
        .execute(pool)
        .await
        .expect("rows");
}

/// The same in each process.
fn id(at: OffsetDateTime, number: u8) -> Uuid {
    let millis = at.unix_timestamp_nanos() / 1_000_000;
    let millis = millis.try_into().expect("after 1970");
    uuid::Builder::from_unix_timestamp_millis(millis, &[number; 10]).into_uuid()
}

#[expect(clippy::disallowed_methods, reason = "how much of it, not what")]
fn kills(answers: usize) -> Vec<usize> {
    let wanted = match std::env::var("BERTH_KILLS") {
        Ok(text) if text == "all" => answers,
        Ok(text) => text.parse().expect("a number"),
        Err(_) => KILLS,
    };
    let wanted = wanted.min(answers);
    (0..wanted).map(|n| 1 + n * answers / wanted).collect()
}

/// Runs a table's test once more, in a process of its own.
async fn run(scratch: &Scratch, table: Guarded, last: Option<usize>) -> Ended {
    let (owner, worker) = (
        scratch.address("berth_owner").await,
        scratch.address("berth_worker").await,
    );
    let wire = Wire::to(&owner, last).await;
    let work = Work {
        table,
        worker: wire.through(&worker),
        owner: wire.through(&owner),
        dir: scratch.dir.path().to_owned(),
    };
    let this = std::env::current_exe().expect("a test");
    let mut command = Command::new(this);
    let test = format!("partitions::killed::{table}_are_finished_wherever_it_was_killed");
    command.args(["--exact", &test]);
    command.env(WORK, serde_json::to_string(&work).expect("JSON"));
    wire.run(command).await
}

/// Every table of the database, and the objects that no archive names.
async fn inventory(scratch: &Scratch) -> (BTreeSet<String>, BTreeSet<PathBuf>) {
    let tables: Vec<String> = sqlx::query_scalar(
        "select concat_ws(' ', relname, relkind) from pg_class where relnamespace = 'public'::regnamespace",
    )
    .fetch_all(&scratch.root)
    .await
    .expect("tables");
    let mut objects = BTreeSet::new();
    files(
        scratch.dir.path(),
        &scratch.dir.path().join("objects"),
        &mut objects,
    );
    for one in archives(scratch).await {
        let manifest = serde_json_canonicalizer::to_vec(&one.manifest).expect("JSON");
        let manifest = objects.iter().find(|name| {
            std::fs::read(scratch.dir.path().join(name)).expect("an object") == manifest
        });
        let file = Path::new("objects/archives").join(&one.object_path);
        for name in [manifest.expect("its manifest").clone(), file] {
            assert!(objects.remove(&name), "{}", name.display());
        }
    }
    (tables.into_iter().collect(), objects)
}

fn files(root: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(root, &path, found);
        } else {
            found.insert(path.strip_prefix(root).expect("below it").to_owned());
        }
    }
}

/// Brings everything back, and says what there is.
async fn restored(scratch: &Scratch, table: Guarded) -> (Option<String>, Vec<String>) {
    assert_eq!(findings(scratch).await, [0, 0]);
    let steps = scratch.steps();
    for one in archives(scratch).await {
        insist(async || steps.bring_back(of(&one)).await).await;
    }
    assert_eq!(findings(scratch).await, [0, 0]);
    (
        content(scratch, table).await,
        names(&scratch.owner, table).await,
    )
}

/// A plain table with some rows.
async fn pattern(table: Guarded) -> Pattern {
    let scratch = archiving().await;
    let kept = format!("partition.{table}_kept_seconds");
    if table != Guarded::OutboxEvents {
        scratch.set(&kept, 93 * 86_400).await;
    }
    let org = "insert into organizations (id, name, slug) values (uuid_v7(), 'one', 'one')";
    execute(&scratch.root, org.to_owned()).await;
    write(&scratch.worker, table, &[BEFORE, START]).await;
    // Its keys, which all copies share.
    drop(scratch.steps());
    scratch.into_pattern().await
}

/// What another test of this file started does its work; `None` for one that nobody started.
async fn work() -> Option<()> {
    #[expect(
        clippy::disallowed_methods,
        reason = "of the test that started this one"
    )]
    let work = std::env::var(WORK).ok()?;
    let work: Work = serde_json::from_str(&work).expect("work");
    let pool = async |url: &Url| scratch::pool(url.as_str()).await;
    let (worker, owner) = (pool(&work.worker).await, pool(&work.owner).await);
    let objects = scratch::folder_of(&work.dir);
    let steps = scratch::steps(worker, owner, &work.dir, &objects);
    maintain(&steps, work.table).await;
    Some(())
}

async fn is_finished(table: Guarded) {
    if work().await.is_some() {
        return;
    }
    let pattern = pattern(table).await;
    let stays = pattern.make().await;
    convert(&stays.steps(), table).await;
    let before = content(&stays, table).await;
    stays.drop_database().await;
    let whole = pattern.make().await;
    let ended = run(&whole, table, None).await;
    assert!(ended.output.status.success(), "{ended:?}");
    let (tables, left) = inventory(&whole).await;
    assert_eq!(left, BTreeSet::new());
    assert_eq!(content(&whole, table).await, None);
    let (rows, partitions) = restored(&whole, table).await;
    assert_eq!(rows, before);
    whole.drop_database().await;
    for last in kills(ended.answers) {
        let scratch = pattern.make().await;
        let killed = run(&scratch, table, Some(last)).await;
        // How often it is answered differs by a few: it may have come to its end before.
        let alive = killed.answers < last && killed.output.status.success();
        let signal = killed.output.status.signal();
        assert!(alive || signal == Some(9), "{last}: {killed:?}");
        maintain(&scratch.steps(), table).await;
        let (found, mut left) = inventory(&scratch).await;
        assert_eq!(found, tables, "killed at answer {last}");
        // At most a manifest that it had written and told nobody of: it was signed, and the next one
        // is not the same.
        assert!(left.len() <= 1, "killed at answer {last}: {left:?}");
        left.retain(|name| name.extension().is_none_or(|kind| kind != "json"));
        assert_eq!(left, BTreeSet::new(), "killed at answer {last}");
        let (found, listed) = restored(&scratch, table).await;
        assert_eq!(found, rows, "killed at answer {last}");
        assert_eq!(listed, partitions, "killed at answer {last}");
        scratch.drop_database().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn outbox_events_are_finished_wherever_it_was_killed() {
    is_finished(Guarded::OutboxEvents).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ledger_entries_are_finished_wherever_it_was_killed() {
    is_finished(Guarded::LedgerEntries).await;
}
