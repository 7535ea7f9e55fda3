//! A zero that nobody saw when it passed: use ends there all the same, whatever happened since.

use domain::id::OrgId;
use serde_json::json;
use tests::{Stack, eventually, stack};
use uuid::Uuid;

use super::prepaid::{self, left, now};
use super::world::{self, LIMIT};
use crate::sweep;

const SECOND: i64 = 1_000_000;

/// Ends of an organization's use, as its guard left them.
async fn ends(stack: &Stack, org: Uuid) -> Vec<i64> {
    let terms = format!("/api/v1/admin/billing-accounts/{}/terms", OrgId::from(org));
    let wish = json!({"terms": "prepaid", "reason": "wakes its guard"});
    stack.admin().put(&terms, &wish).await.expect(200);
    eventually("everything is stopped", LIMIT, || async {
        let state: String =
            sqlx::query_scalar("select state from billing_accounts where org_id = $1")
                .bind(org)
                .fetch_one(&stack.database().await)
                .await
                .expect("a state");
        let guard = format!("balance/{}", OrgId::from(org));
        let over = state == "depleted" && sweep::run_of(stack, &guard).await.is_none();
        (over && prepaid::open(stack, &[org]).await == (0, 0)).then_some(())
    })
    .await;
    sqlx::query_scalar(
        "select (extract(epoch from upper(period)) * 1000000)::bigint from usage_intervals
         where org_id = $1 order by lower(period), id",
    )
    .bind(org)
    .fetch_all(&stack.database().await)
    .await
    .expect("ends")
}

/// The last instant at which an organization had something left.
async fn now_of(stack: &Stack, org: Uuid) -> time::OffsetDateTime {
    sqlx::query_scalar("select solvent_at from billing_accounts where org_id = $1")
        .bind(org)
        .fetch_one(&stack.database().await)
        .await
        .expect("an instant")
}

#[tokio::test(flavor = "multi_thread")]
async fn use_that_ended_after_zero_is_cut_back_to_it() {
    let stack = stack().await;
    let (sku, now) = (prepaid::sku(stack).await, now(stack).await);
    let since = now - 60 * SECOND;
    let org = prepaid::organization(stack, 30 * SECOND, since).await;
    prepaid::running(stack, org, &sku, 1, since).await;
    // Somebody released this one; nobody had seen that the money was gone.
    prepaid::used(stack, org, &sku, 1, since, now - 10 * SECOND).await;
    // And this one ended before.
    prepaid::used(stack, org, &sku, 1, since, since + 10 * SECOND).await;
    let zero = since + 10 * SECOND;
    assert_eq!(ends(stack, org).await, [zero, zero, zero]);
    assert_eq!(left(stack, &[org]).await, [(org, 0, 3 * SECOND)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_nobody_saw_come_moves_zero_ahead() {
    let stack = stack().await;
    let (sku, now) = (prepaid::sku(stack).await, now(stack).await);
    let (first, again) = (now - 90 * SECOND, now - 30 * SECOND);
    let org = prepaid::organization(stack, 20 * SECOND, first).await;
    prepaid::used(stack, org, &sku, 1, first, first + 10 * SECOND).await;
    // Its guard had seen that as the end; then it got ten more, and started something.
    sqlx::query(
        "update billing_accounts set state = 'depleted', depleted_at = $2 where org_id = $1",
    )
    .bind(org)
    .bind(world::at(first + 10 * SECOND))
    .execute(&tests::signer::role_pool(stack, "relay").await)
    .await
    .expect("a state");
    prepaid::running(stack, org, &sku, 1, again).await;
    let ends = ends(stack, org).await;
    assert_eq!(ends, [first + 10 * SECOND, again + 10 * SECOND]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_of_the_time_of_zero_does_not_hide_it() {
    let stack = stack().await;
    let (sku, now) = (prepaid::sku(stack).await, now(stack).await);
    let whole = now - now % SECOND;
    let since = whole - 3_600 * SECOND;
    let org = prepaid::organization(stack, 1_000 * SECOND, since).await;
    prepaid::running(stack, org, &sku, 1, since).await;
    eventually("it is metered", LIMIT, || async {
        sweep::trigger(stack, "metering").await;
        let metered: i64 = sqlx::query_scalar(
            "select count(*) from usage_intervals where org_id = $1 and metered_to is not null",
        )
        .bind(org)
        .fetch_one(&stack.database().await)
        .await
        .expect("a count");
        (metered == 1).then_some(())
    })
    .await;
    let (start, end) = (since - 3_600 * SECOND, whole - 600 * SECOND);
    world::bill(stack, &world::text(start), &world::text(end), Some(org)).await;
    let charged = world::accounts(stack, org).await;
    assert_eq!(charged["receivable"], -2_000 * SECOND, "more than it had");
    assert_eq!(ends(stack, org).await, [since + 1_000 * SECOND]);
    // What it gets before that is billed anew is its own, however often its guard looks.
    prepaid::give(stack, org, 500 * SECOND).await;
    for look in 1..=2 {
        let before = now_of(stack, org).await;
        let terms = format!("/api/v1/admin/billing-accounts/{}/terms", OrgId::from(org));
        let wish = json!({"terms": "prepaid", "reason": "wakes its guard"});
        stack.admin().put(&terms, &wish).await.expect(200);
        eventually("it is looked at", LIMIT, || async {
            (now_of(stack, org).await > before).then_some(())
        })
        .await;
        let state: String =
            sqlx::query_scalar("select state from billing_accounts where org_id = $1")
                .bind(org)
                .fetch_one(&stack.database().await)
                .await
                .expect("a state");
        assert_eq!(state, "healthy", "look {look}");
    }
    world::bill(stack, &world::text(start), &world::text(end), Some(org)).await;
    let settled = world::accounts(stack, org).await;
    assert_eq!(settled["receivable"], 500 * SECOND, "it had what it used");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_ends_before_zero_costs_nothing_after() {
    let stack = stack().await;
    let (sku, now) = (prepaid::sku(stack).await, now(stack).await);
    let since = now - 60 * SECOND;
    let org = prepaid::organization(stack, 40 * SECOND, since).await;
    prepaid::running(stack, org, &sku, 1, since).await;
    let leased = prepaid::running(stack, org, &sku, 1, since).await;
    // Its workflow has not come to it yet.
    sqlx::query("update allocations set lease_ends_at = $2 where id = $1")
        .bind(leased.uuid())
        .bind(world::at(since + 10 * SECOND))
        .execute(&tests::signer::role_pool(stack, "relay").await)
        .await
        .expect("a lease");
    let ends = ends(stack, org).await;
    assert_eq!(ends, [since + 30 * SECOND, since + 10 * SECOND]);
}

/// What costs nothing is not stopped for want of money.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_free_goes_on() {
    let stack = stack().await;
    let (sku, now) = (world::sku(stack).await, now(stack).await);
    let org = prepaid::organization(stack, 1, now).await;
    prepaid::take(stack, org, 1).await;
    prepaid::running(stack, org, &sku, 1, now - SECOND).await;
    let path = format!("/api/v1/admin/billing-accounts/{}", OrgId::from(org));
    let wish = json!({"terms": "prepaid", "reason": "wakes its guard"});
    stack
        .admin()
        .put(&format!("{path}/terms"), &wish)
        .await
        .expect(200);
    let guard = format!("balance/{}", OrgId::from(org));
    eventually("its guard has looked", LIMIT, || async {
        let solvent: bool =
            sqlx::query_scalar("select solvent_at > $2 from billing_accounts where org_id = $1")
                .bind(org)
                .bind(world::at(now))
                .fetch_one(&stack.database().await)
                .await
                .expect("an answer");
        (solvent && sweep::run_of(stack, &guard).await.is_some()).then_some(())
    })
    .await;
    let account = stack.admin().get(&path).await.expect(200);
    assert_eq!(account["state"], "healthy", "{account}");
    assert_eq!(prepaid::open(stack, &[org]).await, (1, 1));
    let back = json!({"terms": "invoiced", "reason": "the test ends"});
    stack
        .admin()
        .put(&format!("{path}/terms"), &back)
        .await
        .expect(200);
}

/// What was stopped where its money ended owes nothing after its bill: that is rounded down.
#[tokio::test(flavor = "multi_thread")]
async fn a_bill_for_what_was_prepaid_is_rounded_down() {
    let stack = stack().await;
    let (sku, now) = (prepaid::sku(stack).await, now(stack).await);
    let start = now - now % SECOND - 3_600 * SECOND;
    for (prepaid, total) in [(true, -1_010_000), (false, -1_020_000)] {
        let org = if prepaid {
            prepaid::organization(stack, 5 * SECOND, start).await
        } else {
            world::organization(stack, "USD").await
        };
        let used = world::Use {
            org,
            project: Uuid::from_u128(1),
            sku: sku.clone(),
            quantity: 1,
            start,
            end: start + SECOND + 19_000,
        };
        world::record(stack, &[used]).await;
        let end = world::text(start + 60 * SECOND);
        world::bill(stack, &world::text(start), &end, Some(org)).await;
        let given = if prepaid { 5 * SECOND } else { 0 };
        let accounts = world::accounts(stack, org).await;
        assert_eq!(accounts["receivable"], given + total, "prepaid: {prepaid}");
        assert_eq!(accounts["revenue"], 1_019_000);
        world::assert_sound(stack, &[org]).await;
    }
}
