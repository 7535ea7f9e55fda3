//! What was used is billed once, and adds up, wherever its records and entries lie.

use activities::billing;
use activities::refusal::Refusal;
use contract::billing::{CloseInput, OpenInput, Outcome, PostInput, Tally};
use db::billing::reconcile;
use db::billing::run::{self, NewRun};
use domain::billing::Period;
use domain::data_growth::Guarded;
use domain::id::BillingRunId;
use domain::reconciliation::Comparison;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::archive::{archives, content, of};
use super::year::convert;
use tests::scratch::{Scratch, execute, fresh, id_at, input};

const TABLES: [Guarded; 2] = [Guarded::UsageRecords, Guarded::LedgerEntries];
/// Micros of one GPU's hour.
const PRICE: i64 = 3_000_000;
const GPUS: i64 = 2;
/// How long ago the first period was billed.
const AGE: Duration = Duration::days(160);
/// The least that may be asked for.
const KEPT: Duration = Duration::days(93);
const DAYS: i64 = 5;

struct World {
    scratch: Scratch,
    orgs: [Uuid; 2],
    /// Whole seconds.
    now: OffsetDateTime,
}

impl World {
    async fn new() -> Self {
        let scratch = Scratch::new().await;
        let now = scratch.now().await;
        let world = Self {
            scratch,
            orgs: [fresh(), fresh()],
            now: now.replace_nanosecond(0).expect("a time"),
        };
        world.execute(&format!(
            "insert into regions (name, display_name) values ('here', 'Here');
             insert into skus (name, region, display_name, gpu_model, gpu_memory_bytes, gpus_per_node)
               values ('gpu', 'here', 'GPU', 'NVIDIA H100', 80000000000, 8);
             insert into prices (id, sku, currency, amount_micros_per_hour, effective, reason)
               values (uuid_v7(), 'gpu', 'USD', {PRICE}, '[2020-01-01,)', 'a test');
             insert into users (id, email, display_name) values (uuid_v7(), 'one@example.com', 'One');"
        )).await;
        for org in world.orgs {
            world
                .execute(&format!(
                    "insert into organizations (id, name, slug) values ('{org}', 'Billed', 's{}');
                     insert into billing_accounts (org_id) values ('{org}') on conflict do nothing;",
                    org.simple()
                ))
                .await;
        }
        for table in TABLES {
            let kept = format!("partition.{table}_kept_seconds");
            world.scratch.set(&kept, KEPT.whole_seconds()).await;
        }
        world
    }

    async fn execute(&self, sql: &str) {
        execute(&self.scratch.root, sql.to_owned()).await;
    }

    /// Some days, that many ago.
    fn period(&self, days_ago: i64) -> Period {
        let start = self.now - Duration::days(days_ago);
        let end = start + Duration::days(DAYS);
        Period { start, end }
    }

    /// Machines that an organization had from the first to the last of that time.
    async fn used(&self, org: Uuid, during: Period) {
        let id = fresh();
        let (start, end) = (during.start, during.end);
        self.execute(&format!(
            "insert into projects (id, org_id, name) values ('{id}', '{org}', '{id}');
             insert into allocations (id, org_id, project_id, name, sku, gpu_count, state, created_by, lease_seconds, queue_timeout_seconds)
               select '{id}', '{org}', '{id}', 'used', 'gpu', {GPUS}, 'released', id, 60, 60 from users;
             insert into usage_intervals (id, org_id, project_id, allocation_id, meter, sku, quantity, period)
               values ('{id}', '{org}', '{id}', '{id}', 'gpu_seconds', 'gpu', {GPUS}, tstzrange('{start}', '{end}'));"
        )).await;
    }

    /// Bills everybody, as the workflow does.
    async fn bill(&self, period: Period) -> Result<Tally, Refusal> {
        let pool = &self.scratch.worker;
        let id: BillingRunId = db::id::fresh();
        let workflow_id = format!("billing/{id}");
        let new = NewRun {
            id,
            org_id: None,
            period,
            workflow_id: &workflow_id,
        };
        let mut tx = pool.begin().await.expect("a transaction");
        assert!(run::insert(&mut tx, new).await.expect("a run"));
        tx.commit().await.expect("committed");
        let asked = OpenInput {
            run_id: Some(id),
            workflow_id,
            scheduled_seconds: None,
            late_behind: None,
        };
        billing::open(pool, &asked).await?;
        let (mut after, mut tally) = (None, Tally::default());
        let result = loop {
            let step = PostInput { run_id: id, after };
            match billing::post(pool, step).await {
                Ok(posted) => {
                    tally += posted.tally;
                    after = posted.last;
                    if after.is_none() {
                        break Ok(tally);
                    }
                }
                Err(refusal) => break Err(refusal),
            }
        };
        let outcome = match result {
            Ok(_) => Outcome::Succeeded,
            Err(_) => Outcome::Failed,
        };
        let end = CloseInput {
            run_id: id,
            outcome,
        };
        billing::close(pool, end).await?;
        result
    }

    /// What each comparison finds.
    async fn findings(&self) -> Vec<u64> {
        let mut counts = Vec::new();
        for comparison in Comparison::ALL {
            let mut tx = self.scratch.worker.begin().await.expect("a transaction");
            let run = fresh().to_string();
            let id = reconcile::open(&mut tx, &run, OffsetDateTime::UNIX_EPOCH).await;
            let found = reconcile::compare(&mut tx, id.expect("a run"), *comparison).await;
            counts.push(found.expect("a comparison"));
            tx.commit().await.expect("committed");
        }
        counts
    }

    /// What the organizations owe.
    async fn owed(&self) -> Vec<i64> {
        sqlx::query_scalar("select -balance_micros from account_balances order by org_id")
            .fetch_all(&self.scratch.root)
            .await
            .expect("balances")
    }

    /// As if what is in a table had been written long ago.
    async fn age(&self, table: Guarded) {
        let root = &self.scratch.root;
        let sql = sqlx::AssertSqlSafe(format!("select id from {table}"));
        let ids: Vec<Uuid> = sqlx::query_scalar(sql).fetch_all(root).await.expect("ids");
        assert!(!ids.is_empty(), "{table}");
        for id in ids {
            let old = id_at(db::id::created_at(id) - AGE);
            self.execute(&format!(
                "set local session_replication_role = replica;
                 update {table} set id = '{old}', created_at = uuid_v7_at('{old}') where id = '{id}'"
            ))
            .await;
        }
    }

    async fn contents(&self) -> Vec<Option<String>> {
        let mut all = Vec::new();
        for table in TABLES {
            all.push(content(&self.scratch, table).await);
        }
        all
    }

    /// All that has served its time leaves; how many partitions that were.
    async fn archive(&self, table: Guarded) -> usize {
        let (steps, mut gone) = (self.scratch.steps(), 0);
        loop {
            let archived = steps.archive_at(input(table), None).await;
            archived.expect("an archive");
            let dropped = steps.expire_at(input(table), None).await;
            if dropped.expect("a look").is_none() {
                return gone;
            }
            gone += 1;
            assert_eq!(self.findings().await, [0; 4], "{table}");
        }
    }
}

/// Micros for so many stays of the whole period.
fn stays(count: i64) -> i64 {
    count * GPUS * DAYS * 24 * PRICE
}

#[tokio::test(flavor = "multi_thread")]
async fn bills_are_right_over_converted_archived_and_restored_books() {
    let world = World::new().await;
    let (scratch, [one, other]) = (&world.scratch, world.orgs);
    let (old, new) = (world.period(170), world.period(10));
    world.used(one, old).await;
    world.used(other, old).await;
    let tally = world.bill(old).await.expect("billed");
    assert_eq!(tally.invoiced, 2);
    assert_eq!(world.owed().await, [stays(1), stays(1)]);
    // Plain, then converted, with rows before and behind the cut.
    world
        .execute(&format!(
            "set local session_replication_role = replica;
             update invoices set issued_at = issued_at - interval '{} days'",
            AGE.whole_days()
        ))
        .await;
    for table in TABLES {
        let steps = scratch.steps();
        world.age(table).await;
        convert(&steps, table, world.now - AGE).await;
        let made = steps.premake_at(input(table), Some(world.now));
        made.await.expect("partitions");
    }
    assert_eq!(world.findings().await, [0; 4]);
    world.used(one, new).await;
    let tally = world.bill(new).await.expect("billed");
    assert_eq!((tally.invoiced, tally.unused), (1, 1));
    assert_eq!(world.findings().await, [0; 4]);
    assert_eq!(world.owed().await, [stays(2), stays(1)]);

    let before = world.contents().await;
    for table in TABLES {
        assert!(world.archive(table).await > 0, "{table}");
        assert_ne!(content(scratch, table).await, None, "a part of {table}");
    }
    assert_ne!(world.contents().await, before);
    assert_eq!(world.owed().await, [stays(2), stays(1)]);
    // What is all there is billed.
    world.used(other, new).await;
    let tally = world.bill(new).await.expect("billed");
    assert_eq!((tally.invoiced, tally.settled), (1, 1));
    assert_eq!(world.findings().await, [0; 4]);
    let owed = [stays(2), stays(2)];
    assert_eq!(world.owed().await, owed);

    // What is not is refused, until it is brought back.
    world.used(other, old).await;
    let refused = world.bill(old).await.expect_err("records are archived");
    let why = format!("{refused:?}");
    assert!(why.contains("restore them first"), "{why}");
    assert_eq!(world.owed().await, owed);
    assert_eq!(world.findings().await, [0; 4]);
    let kept = world.contents().await;
    for known in archives(scratch).await {
        scratch.steps().bring_back(of(&known)).await.expect("back");
        assert_eq!(world.findings().await, [0; 4], "{}", known.partition);
    }
    assert_ne!(world.contents().await, kept);
    let tally = world.bill(old).await.expect("billed");
    assert_eq!((tally.invoiced, tally.settled), (1, 1));
    assert_eq!(world.owed().await, [stays(2), stays(3)]);
    assert_eq!(world.findings().await, [0; 4]);
}
