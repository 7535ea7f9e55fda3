//! Prepaid organizations with machines running, made by data: their workflows find no node to leave,
//! the rest of them is real.

use db::billing::ledger::Movement;
use db::id::fresh;
use domain::balance::Terms;
use domain::id::{AllocationId, LedgerTransactionId, OrgId};
use domain::ledger::{Account, Kind};
use domain::money::{Currency, Money};
use tests::Stack;
use tests::signer::role_pool;
use uuid::Uuid;

use super::world::{self, Rate, at};

/// An organization that was solvent at an instant and has so much.
pub(crate) async fn organization(stack: &Stack, given: i64, solvent_at: i64) -> Uuid {
    let pool = role_pool(stack, "relay").await;
    let org = super::world::organization(stack, "USD").await;
    give(stack, org, given).await;
    sqlx::query("update billing_accounts set terms = $2, solvent_at = $3 where org_id = $1")
        .bind(org)
        .bind(Terms::Prepaid.as_str())
        .bind(at(solvent_at))
        .execute(&pool)
        .await
        .expect("its terms");
    org
}

/// A SKU of which a GPU costs a unit of the currency a second.
pub(crate) async fn sku(stack: &Stack) -> String {
    sku_at(stack, 3_600_000_000).await
}

/// One at so many micros an hour, since long ago.
pub(crate) async fn sku_at(stack: &Stack, micros: i64) -> String {
    let sku = world::sku(stack).await;
    let rate = Rate {
        sku: sku.clone(),
        currency: "USD",
        micros,
        start: world::micros("2020-01-01T00:00:00Z"),
        end: None,
    };
    world::price(stack, &rate).await;
    sku
}

/// Money, as an operator gives it.
pub(crate) async fn give(stack: &Stack, org: Uuid, micros: i64) {
    let mut tx = role_pool(stack, "relay")
        .await
        .begin()
        .await
        .expect("a transaction");
    let movement = Movement {
        org_id: OrgId::from(org),
        kind: Kind::Credit,
        key: &format!("test/{}", fresh::<LedgerTransactionId>()),
        reason: Some("a test"),
        by: None,
        from: Account::Credits,
        money: Money {
            amount_micros: micros,
            currency: Currency::DEFAULT,
        },
        corrects: None,
    };
    let given = db::billing::ledger::post(&mut tx, movement).await;
    given.expect("it is given");
    tx.commit().await.expect("it holds");
}

/// Takes money back.
pub(crate) async fn take(stack: &Stack, org: Uuid, micros: i64) {
    give(stack, org, -micros).await;
}

/// An allocation of so many GPUs that runs since an instant.
pub(crate) async fn running(
    stack: &Stack,
    org: Uuid,
    sku: &str,
    gpus: i32,
    since: i64,
) -> AllocationId {
    allocation(stack, org, (sku, gpus), (since, None)).await
}

/// One that ran from an instant to another.
pub(crate) async fn used(stack: &Stack, org: Uuid, sku: &str, gpus: i32, from: i64, to: i64) {
    allocation(stack, org, (sku, gpus), (from, Some(to))).await;
}

async fn allocation(
    stack: &Stack,
    org: Uuid,
    (sku, gpus): (&str, i32),
    (since, until): (i64, Option<i64>),
) -> AllocationId {
    let (pool, id) = (stack.database().await, fresh::<AllocationId>());
    for sql in [
        "insert into projects (id, org_id, name) values ($1, $2, 'runs ' || $1::text)",
        "insert into allocations (id, org_id, project_id, name, sku, gpu_count, state, created_by, created_at,
                                  active_at, lease_ends_at, lease_seconds, queue_timeout_seconds)
         select $1, $2, $1, 'runs', $3, $4, case when $6::timestamptz is null then 'active' else 'released' end,
                (select id from users limit 1), $5, $5, clock_timestamp() + interval '1 day', 86400, 60",
        "insert into usage_intervals (id, org_id, project_id, allocation_id, meter, sku, quantity, period)
         select $1, $2, $1, $1, 'gpu_seconds', $3, $4, tstzrange($5, $6)",
    ] {
        sqlx::query(sql)
            .bind(id.uuid())
            .bind(org)
            .bind(sku)
            .bind(gpus)
            .bind(at(since))
            .bind(until.map(at))
            .execute(&pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    id
}

/// Now by the clock of the database, in microseconds since 1970.
pub(crate) async fn now(stack: &Stack) -> i64 {
    sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000000)::bigint")
        .fetch_one(&stack.database().await)
        .await
        .expect("the time")
}

/// What is left of each organization's money by plain SQL, in micros, and what a second of everything
/// that it had costs.
pub(crate) async fn left(stack: &Stack, orgs: &[Uuid]) -> Vec<(Uuid, i64, i64)> {
    sqlx::query_as(
        "select i.org_id,
                ((select balance_micros from account_balances b where b.org_id = i.org_id)
                 - sum(i.quantity * p.amount_micros_per_hour * extract(epoch from upper(i.period) - lower(i.period)) / 3600))::bigint,
                (sum(i.quantity * p.amount_micros_per_hour) / 3600)::bigint
         from usage_intervals i
         join prices p on p.sku = i.sku and p.currency = 'USD' and p.effective @> lower(i.period)
         where i.org_id = any($1) and not upper_inf(i.period) group by i.org_id",
    )
    .bind(orgs)
    .fetch_all(&stack.database().await)
    .await
    .expect("sums")
}

/// Allocations of these organizations that have not ended, and intervals of theirs that are open.
pub(crate) async fn open(stack: &Stack, orgs: &[Uuid]) -> (i64, i64) {
    sqlx::query_as(
        "select (select count(*) from allocations where org_id = any($1) and state <> 'released'),
                (select count(*) from usage_intervals where org_id = any($1) and upper_inf(period))",
    )
    .bind(orgs)
    .fetch_one(&stack.database().await)
    .await
    .expect("counts")
}

/// The states that were told of, in their order.
pub(crate) async fn told(stack: &Stack, org: Uuid) -> Vec<String> {
    sqlx::query_scalar(
        "select data ->> 'to' from outbox_events
         where aggregate_id = $1 and type = 'berth.billing.balance.state_changed' order by seq",
    )
    .bind(org)
    .fetch_all(&stack.database().await)
    .await
    .expect("events")
}
