//! A billing run over a month of use, against the same work in plain SQL, and against the scan alone
//! that rates it.

use std::time::{Duration, Instant};

use domain::id::OrgId;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgPool};
use tests::signer::role_pool;
use tests::{Stack, Tenant};

const ORGS: i64 = 500;
const RATED: &str = include_str!("billing_rate.sql");
const POSTED: &str = include_str!("billing_post.sql");
const LIMIT: Duration = Duration::from_hours(1);

/// A month of the data, and who is billed for it.
struct Month {
    start: &'static str,
    end: &'static str,
}

const OURS: Month = Month {
    start: "2001-01-01T00:00:00Z",
    end: "2001-02-01T00:00:00Z",
};
const PLAIN: Month = Month {
    start: "2001-03-01T00:00:00Z",
    end: "2001-04-01T00:00:00Z",
};

pub(crate) async fn run(stack: &Stack, tenant: &Tenant) -> Vec<String> {
    let rows = rows();
    let pool = role_pool(stack, "worker").await;
    accounts(&stack.database().await, &pool).await;
    for month in [&OURS, &PLAIN] {
        fill(&pool, month, rows).await;
    }
    let scan = scan(&pool, &OURS).await;
    let ours = bill(stack, &OURS).await;
    let plain = post_plainly(&pool, &PLAIN).await;
    let again = bill(stack, &OURS).await;
    let touched = late(&pool, &OURS).await;
    let anew = bill(stack, &OURS).await;
    let ledger = post_one_by_one(&pool, tenant).await;
    assert_eq!(
        lines(&pool, &OURS).await,
        lines(&pool, &PLAIN).await,
        "the same work"
    );
    println!("billing: {rows} usage records of {ORGS} accounts, a month each");
    let rate = |what: &str, took: Duration| {
        let rate = rows as f64 / took.as_secs_f64();
        println!(
            "{what:<42} {:>8.2} s {rate:>10.0} rows/s",
            took.as_secs_f64()
        );
    };
    rate("berth, a run by Temporal", ours);
    rate("the same into the same tables, plain SQL", plain);
    rate("the rating scan alone", scan);
    rate("berth, the closed period again", again);
    println!(
        "berth, anew for {touched} late accounts         {:>8.2} s",
        anew.as_secs_f64()
    );
    println!("movements posted one by one                {ledger:>8.0} /s");
    let share = |part: Duration, whole: Duration| part.as_secs_f64() / whole.as_secs_f64();
    vec![
        format!("billing: plain SQL / berth: {:.2}", share(plain, ours)),
        format!("billing: rating scan / berth: {:.2}", share(scan, ours)),
        format!(
            "billing: closed period again / run: {:.3}",
            share(again, ours)
        ),
        format!(
            "billing: late re-rate of 1 % / run: {:.3}",
            share(anew, ours)
        ),
    ]
}

/// How many records; a million if nobody says.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark has no settings file"
)]
fn rows() -> i64 {
    let given = std::env::var("BERTH_BENCH_ROWS").ok();
    given
        .and_then(|text| text.parse().ok())
        .unwrap_or(1_000_000)
}

/// Organizations with accounts, and five SKUs with a price.
async fn accounts(admin: &PgPool, pool: &PgPool) {
    for sql in [
        "insert into skus (name, region, display_name, gpu_model, gpu_memory_bytes, gpus_per_node)
         select 'bench-' || n, region, display_name, gpu_model, gpu_memory_bytes, 8
         from (select * from skus limit 1) as one, generate_series(1, 5) as n on conflict do nothing",
        "insert into organizations (id, name, slug)
         select md5('bench-' || n)::uuid, 'Bench', 'bench-' || n from generate_series(1, $1::bigint) as n on conflict do nothing",
        "insert into prices (id, sku, currency, amount_micros_per_hour, effective, reason)
         select uuid_v7(), 'bench-' || n, 'USD', 1234567 + n, tstzrange('2000-01-01', null), 'a benchmark'
         from generate_series(1, 5) as n on conflict do nothing",
    ] {
        let query = sqlx::query(sql);
        let query = if sql.contains("$1") { query.bind(ORGS) } else { query };
        query.execute(admin).await.expect("what is billed");
    }
    sqlx::query(
        "insert into billing_accounts (org_id) select md5('bench-' || n)::uuid from generate_series(1, $1::bigint) as n
         on conflict do nothing",
    )
    .bind(ORGS)
    .execute(pool)
    .await
    .expect("accounts");
}

/// As many records as asked for, evenly over organizations, projects, SKUs and the month.
async fn fill(pool: &PgPool, month: &Month, rows: i64) {
    let epoch = "(select epoch from usage_clock)";
    let sql = format!(
        "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                    meter, sku, quantity, started_at, ended_at)
         select id, uuid_v7_at(id), {epoch}, org, md5(org::text || n % 4)::uuid, org, org, 'gpu_seconds',
                'bench-' || 1 + n % 5, 1 + n % 8, start, start + interval '1 minute' * (1 + n % 60)
         from (select uuid_v7() as id, n, md5('bench-' || 1 + n % $1)::uuid as org,
                      $2::timestamptz + interval '1 second' * (n * 2591 % 2592000) as start
               from generate_series(1, $3::bigint) as n) as made"
    );
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(ORGS)
        .bind(at(month.start))
        .bind(rows)
        .execute(pool)
        .await
        .expect("records");
    sqlx::query("select pg_stat_clear_snapshot()")
        .execute(pool)
        .await
        .expect("fresh statistics");
}

fn at(text: &str) -> time::OffsetDateTime {
    let format = &time::format_description::well_known::Rfc3339;
    time::OffsetDateTime::parse(text, format).expect("a time")
}

/// What rating reads and adds up, with nothing written.
async fn scan(pool: &PgPool, month: &Month) -> Duration {
    let begun = Instant::now();
    let _: i64 = sqlx::query_scalar(RATED)
        .bind(at(month.start))
        .bind(at(month.end))
        .fetch_one(pool)
        .await
        .expect("a sum");
    begun.elapsed()
}

/// A run for everybody by the API, the worker and Temporal.
async fn bill(stack: &Stack, month: &Month) -> Duration {
    let begun = Instant::now();
    let body = json!({"period_start": month.start, "period_end": month.end});
    let asked = stack
        .admin()
        .post("/api/v1/admin/billing-runs", &body)
        .await;
    let done: Value = stack.admin().finished(&asked.expect(202), LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    begun.elapsed()
}

/// The same lines, invoices, entries and claims, in one transaction by hand.
async fn post_plainly(pool: &PgPool, month: &Month) -> Duration {
    let begun = Instant::now();
    let mut tx = pool.begin().await.expect("a transaction");
    for sql in POSTED.split("-- next\n") {
        step(&mut tx, sql, month).await;
    }
    tx.commit().await.expect("it holds");
    begun.elapsed()
}

async fn step(conn: &mut PgConnection, sql: &'static str, month: &Month) {
    let query = sqlx::query(sql);
    let query = if sql.contains("$2") {
        query.bind(at(month.start)).bind(at(month.end))
    } else {
        query
    };
    query
        .execute(conn)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// A record more for one account in a hundred, which nobody knew of before.
async fn late(pool: &PgPool, month: &Month) -> u64 {
    let done = sqlx::query(
        "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                    meter, sku, quantity, started_at, ended_at)
         select id, uuid_v7_at(id), (select epoch from usage_clock), org, org, org, org, 'gpu_seconds', 'bench-1', 1,
                $2, $2 + interval '1 hour'
         from (select uuid_v7() as id, md5('bench-' || n)::uuid as org from generate_series(1, $1::bigint, 100) as n) as made",
    )
    .bind(ORGS)
    .bind(at(month.start))
    .execute(pool)
    .await
    .expect("late records");
    done.rows_affected()
}

/// Movements a second, each in a transaction of its own, of one organization.
async fn post_one_by_one(pool: &PgPool, tenant: &Tenant) -> f64 {
    let org: OrgId = tenant.org_id.parse().expect("an id");
    let begun = Instant::now();
    let mut posted = 0.0;
    while begun.elapsed() < Duration::from_secs(4) {
        let mut tx = pool.begin().await.expect("a transaction");
        let movement = db::billing::ledger::Movement {
            org_id: org,
            kind: domain::ledger::Kind::Credit,
            key: &format!("bench/{}", db::id::fresh::<uuid::Uuid>()),
            reason: None,
            by: None,
            from: domain::ledger::Account::Credits,
            money: domain::money::Money {
                amount_micros: 1,
                currency: domain::money::Currency::DEFAULT,
            },
            corrects: None,
        };
        db::billing::ledger::post(&mut tx, movement)
            .await
            .expect("it is posted");
        tx.commit().await.expect("it holds");
        posted += 1.0;
    }
    posted / begun.elapsed().as_secs_f64()
}

/// Lines of the first bill of a month, and what they come to.
async fn lines(pool: &PgPool, month: &Month) -> (i64, i64) {
    sqlx::query_as(
        "select count(*), sum(l.amount_micros)::bigint from invoice_lines l join invoices i on i.id = l.invoice_id
         where i.kind = 'invoice' and i.revision = 0 and i.period = tstzrange($1, $2)",
    )
    .bind(at(month.start))
    .bind(at(month.end))
    .fetch_one(pool)
    .await
    .expect("sums")
}
