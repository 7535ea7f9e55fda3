//! Records that the metering makes of intervals.

use tests::signer::role_pool;
use tests::{Stack, eventually, rough_stack, stack};
use time::OffsetDateTime;
use uuid::Uuid;

use super::world::{self, LIMIT, at, micros};
use crate::sweep;

const MINUTE: i64 = 60_000_000;

/// An interval of an allocation that ended long ago; its id.
async fn interval(stack: &Stack, org: Uuid, start: i64, end: Option<i64>) -> Uuid {
    let (pool, id) = (stack.database().await, db::id::fresh::<Uuid>());
    let project = "insert into projects (id, org_id, name) values ($1, $2, 'metered ' || $1::text)";
    for sql in [
        project,
        "insert into allocations (id, org_id, project_id, name, sku, gpu_count, state, created_by, lease_seconds, queue_timeout_seconds)
         select $1, $2, $1, 'metered', name, 2, 'released', (select id from users limit 1), 60, 60 from skus limit 1",
    ] {
        sqlx::query(sql)
            .bind(id)
            .bind(org)
            .execute(&pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    sqlx::query(
        "insert into usage_intervals (id, org_id, project_id, allocation_id, meter, sku, quantity, period)
         select $1, $2, $1, $1, 'gpu_seconds', sku, 2, tstzrange($3, $4) from allocations where id = $1",
    )
    .bind(id)
    .bind(org)
    .bind(at(start))
    .bind(end.map(at))
    .execute(&pool)
    .await
    .expect("an interval");
    id
}

/// What is recorded of an interval: how many records, and GPU microseconds in all.
async fn recorded(stack: &Stack, interval: Uuid) -> (i64, i64) {
    sqlx::query_as(
        "select count(*), coalesce(sum(quantity * microseconds(ended_at - started_at)), 0)::bigint
         from usage_records where interval_id = $1",
    )
    .bind(interval)
    .fetch_one(&stack.database().await)
    .await
    .expect("records")
}

async fn meter(stack: &Stack, until: OffsetDateTime) {
    let pool = role_pool(stack, "worker").await;
    let mut tx = pool.begin().await.expect("a transaction");
    db::billing::usage::meter(&mut tx, until)
        .await
        .expect("it meters");
    tx.commit().await.expect("it holds");
}

async fn close(stack: &Stack, interval: Uuid, end: i64) {
    sqlx::query("update usage_intervals set period = tstzrange(lower(period), $2) where id = $1")
        .bind(interval)
        .bind(at(end))
        .execute(&stack.database().await)
        .await
        .expect("it is closed");
}

/// The stack's own schedule meters meanwhile, and may be faster.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_recorded_once_and_what_was_recorded_too_much_is_taken_back() {
    let stack = stack().await;
    let org = world::organization(stack, "USD").await;
    let start = micros("2003-03-01T00:00:00Z");
    // Closed ones, so that the schedule cannot come in between with more than they hold.
    let whole = interval(stack, org, start, Some(start + 10 * MINUTE)).await;
    let tiny = interval(stack, org, start, Some(start + 1)).await;
    meter(stack, at(start + 3 * MINUTE)).await;
    meter(stack, at(start + 60 * MINUTE)).await;
    let (records, used) = recorded(stack, whole).await;
    assert!(
        (1..=2).contains(&records),
        "{records}: the schedule may have been faster"
    );
    assert_eq!(used, 2 * 10 * MINUTE);
    assert_eq!(recorded(stack, tiny).await, (1, 2));
    // Several at once, and again.
    let at_once = futures::future::join_all((0..6).map(|_| meter(stack, at(start + 90 * MINUTE))));
    at_once.await;
    assert_eq!(recorded(stack, whole).await, (records, used));

    // An interval that ended before the instant up to which it was recorded.
    close(stack, whole, start + 4 * MINUTE).await;
    meter(stack, at(start + 90 * MINUTE)).await;
    assert_eq!(recorded(stack, whole).await, (records + 1, 2 * 4 * MINUTE));
    meter(stack, at(start + 95 * MINUTE)).await;
    assert_eq!(recorded(stack, whole).await, (records + 1, 2 * 4 * MINUTE));
}

/// Use that becomes less after it was billed comes back by a credit note and a new invoice.
#[tokio::test(flavor = "multi_thread")]
async fn use_that_is_corrected_after_its_bill_is_billed_anew() {
    let stack = stack().await;
    let org = world::organization(stack, "USD").await;
    let (start, end) = ("2003-05-01T00:00:00Z", "2003-06-01T00:00:00Z");
    let first = micros(start);
    let used = interval(stack, org, first, Some(first + 60 * MINUTE)).await;
    priced(stack, org, used).await;
    world::bill(stack, start, end, Some(org)).await;
    assert_eq!(world::accounts(stack, org).await["receivable"], -12_000_000);
    close(stack, used, first + 30 * MINUTE).await;
    let run = world::bill(stack, start, end, Some(org)).await;
    assert_eq!(run["credit_notes_issued"], 1, "{run}");
    assert_eq!(run["totals"][0]["amount_micros"], -6_000_000, "{run}");
    assert_eq!(world::accounts(stack, org).await["receivable"], -6_000_000);
    // Nothing is left of it.
    close(stack, used, first + 1).await;
    let run = world::bill(stack, start, end, Some(org)).await;
    assert_eq!(run["credit_notes_issued"], 1, "{run}");
    world::assert_sound(stack, &[org]).await;
    assert_eq!(world::accounts(stack, org).await.get("receivable"), None);
}

/// Whatever an interval's SKU is costs six units an hour in the currency of its organization.
async fn priced(stack: &Stack, org: Uuid, interval: Uuid) {
    let currency = "CHF";
    sqlx::query(
        "insert into prices (id, sku, currency, amount_micros_per_hour, effective, reason)
         select uuid_v7(), sku, $2, 6000000, '[2000-01-01,)', 'a test' from usage_intervals where id = $1
         on conflict do nothing",
    )
    .bind(interval)
    .bind(currency)
    .execute(&stack.database().await)
    .await
    .expect("a price");
    sqlx::query("update billing_accounts set currency = $2 where org_id = $1")
        .bind(org)
        .bind(currency)
        .execute(&role_pool(stack, "worker").await)
        .await
        .expect("an account");
}

/// Nobody has to ask for the period again; an odd one is billed anew for its organization alone, and one
/// that cannot be billed keeps nobody waiting.
#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_known_late_is_billed_by_the_next_scheduled_run() {
    let stack = rough_stack().await;
    let month = ("2003-07-01T00:00:00Z", "2003-08-01T00:00:00Z");
    let days = ("2003-09-03T00:00:00Z", "2003-09-05T00:00:00Z");
    let mut orgs = Vec::new();
    for (start, end) in [month, days, days] {
        let org = world::organization(&stack, "USD").await;
        let first = micros(start);
        let used = interval(&stack, org, first, Some(first + 60 * MINUTE)).await;
        priced(&stack, org, used).await;
        world::bill(&stack, start, end, Some(org)).await;
        assert_eq!(
            world::accounts(&stack, org).await["receivable"],
            -12_000_000
        );
        close(&stack, used, first + 15 * MINUTE).await;
        orgs.push(org);
    }
    // The last one's currency has no prices: it is parked.
    sqlx::query("update billing_accounts set currency = 'SEK' where org_id = $1")
        .bind(orgs[2])
        .execute(&role_pool(&stack, "worker").await)
        .await
        .expect("an account");
    meter(&stack, at(micros("2003-10-01T00:00:00Z"))).await;
    let late = async || -> Vec<Uuid> {
        sqlx::query_scalar("select org_id from billing_late where org_id = any($1) order by org_id")
            .bind(&orgs)
            .fetch_all(&stack.database().await)
            .await
            .expect("late ones")
    };
    assert_eq!(late().await, orgs);
    let bystander = world::organization(&stack, "USD").await;
    sweep::trigger(&stack, "billing").await;
    eventually("they are billed anew", LIMIT, || async {
        (late().await == [orgs[2]]).then_some(())
    })
    .await;
    for org in &orgs[..2] {
        assert_eq!(
            world::accounts(&stack, *org).await["receivable"],
            -3_000_000
        );
    }
    eventually("the schedule's run ends", LIMIT, || async {
        let open: i64 = sqlx::query_scalar(
            "select count(*) from billing_runs where ended_at is null or period @> $1",
        )
        .bind(at(micros(days.0)))
        .fetch_one(&stack.database().await)
        .await
        .expect("a count");
        // Each of the two was billed once, and once more.
        (open == 4).then_some(())
    })
    .await;
    let claims: i64 = sqlx::query_scalar(
        "select count(*) from billing_claims where org_id = $1 and period @> $2",
    )
    .bind(bystander)
    .bind(at(micros(days.0)))
    .fetch_one(&stack.database().await)
    .await
    .expect("a count");
    assert_eq!(claims, 0, "an odd period was billed for somebody else");
    world::assert_sound(&stack, &orgs).await;
}
