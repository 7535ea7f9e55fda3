//! What the schema refuses, whoever asks.

use domain::money;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tests::signer::role_pool;
use tests::{Tenant, stack};
use uuid::Uuid;

use super::world;

const WRITTEN_ONCE: [&str; 9] = [
    "usage_records",
    "ledger_transactions",
    "ledger_entries",
    "credits",
    "invoices",
    "invoice_lines",
    "billing_claims",
    "credit_expiries",
    "payments",
];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_may_change_what_was_booked() {
    let pool = stack().await.database().await;
    for table in WRITTEN_ONCE {
        for role in ["berth_api", "berth_worker", "berth_admin"] {
            for right in ["update", "delete", "truncate"] {
                let has: bool = sqlx::query_scalar("select has_table_privilege($1, $2, $3)")
                    .bind(role)
                    .bind(table)
                    .bind(right)
                    .fetch_one(&pool)
                    .await
                    .expect("an answer");
                assert!(!has, "{role} may {right} {table}");
            }
        }
        // Its owner, who needs no right, is kept off by this.
        let guarded: bool = sqlx::query_scalar(
            "select exists (select from pg_trigger where tgrelid = $1::regclass
               and tgname = 'refuse_change' and tgenabled = 'O')",
        )
        .bind(table)
        .fetch_one(&pool)
        .await
        .expect("an answer");
        assert!(guarded, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_do_not_sum_to_zero_are_refused() {
    let stack = stack().await;
    let pool = role_pool(stack, "worker").await;
    let org = world::organization(stack, "USD").await;
    let insert = "insert into ledger_entries (id, created_at, org_id, transaction_id, account, currency, amount_micros)
                  select id, uuid_v7_at(id), $1, $2, account, currency, amount
                  from (select uuid_v7() as id, e.* from unnest($3::text[], $4::text[], $5::bigint[])
                        as e (account, currency, amount)) as made";
    for (sides, fits) in [
        (vec![("receivable", "USD", 5), ("credits", "USD", -5)], true),
        (
            vec![("receivable", "USD", 5), ("credits", "USD", -4)],
            false,
        ),
        (vec![("receivable", "USD", 5)], false),
        // In balance only across currencies.
        (
            vec![("receivable", "USD", 5), ("credits", "EUR", -5)],
            false,
        ),
        (vec![("receivable", "USD", 0), ("credits", "USD", 0)], false),
        (vec![("pocket", "USD", 5), ("credits", "USD", -5)], false),
    ] {
        let mut tx = pool.begin().await.expect("a transaction");
        let id = db::id::fresh::<Uuid>();
        sqlx::query(
            "insert into ledger_transactions (id, org_id, kind, key) values ($1, $2, 'credit', $3)",
        )
        .bind(id)
        .bind(org)
        .bind(id.to_string())
        .execute(&mut *tx)
        .await
        .expect("a transaction's row");
        let done = sqlx::query(insert)
            .bind(org)
            .bind(id)
            .bind(sides.iter().map(|side| side.0).collect::<Vec<_>>())
            .bind(sides.iter().map(|side| side.1).collect::<Vec<_>>())
            .bind(sides.iter().map(|side| side.2).collect::<Vec<i64>>())
            .execute(&mut *tx)
            .await;
        assert_eq!(done.is_ok(), fits, "{sides:?}");
        if fits {
            tx.commit().await.expect("it holds");
            let again = sqlx::query("insert into ledger_transactions (id, org_id, kind, key) values (uuid_v7(), $1, 'credit', $2)")
                .bind(org)
                .bind(id.to_string())
                .execute(&pool)
                .await;
            assert!(again.is_err(), "the same movement is written once");
        }
    }
    world::assert_sound(stack, &[org]).await;
    assert_eq!(world::accounts(stack, org).await["receivable"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_rounds_as_the_domain_does() {
    let pool = stack().await.database().await;
    let mut runner = TestRunner::deterministic();
    let mut cases: Vec<(i64, i64)> = (0..400)
        .map(|_| {
            let case = (
                -1_000_000_000_000_000_i64..1_000_000_000_000_000,
                0_i64..100_000_000,
            );
            case.new_tree(&mut runner).expect("a case").current()
        })
        .collect();
    // Halves: a microsecond at this price is half a micro, and odd multiples of it.
    cases.extend((-9..9).map(|odd| (2 * odd + 1, 1_800_000_000)));
    let (uses, prices): (Vec<i64>, Vec<i64>) = cases.iter().copied().unzip();
    let rounded: Vec<String> = sqlx::query_scalar(
        "select half_even(use::numeric * price, 3600000000)::text
         from unnest($1::bigint[], $2::bigint[]) with ordinality as c (use, price, n) order by n",
    )
    .bind(uses)
    .bind(prices)
    .fetch_all(&pool)
    .await
    .expect("numbers");
    for ((used, price), rounded) in cases.into_iter().zip(rounded) {
        if let Ok(charged) = money::charge(used.into(), price) {
            assert_eq!(charged.to_string(), rounded, "{used} at {price}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_never_overlap_and_use_is_sound() {
    let stack = stack().await;
    let (pool, sku) = (stack.database().await, world::sku(stack).await);
    let price = "insert into prices (id, sku, currency, amount_micros_per_hour, effective, reason)
                 values (uuid_v7(), $1, $2, $3::bigint, $4::tstzrange, 'a test')";
    for (currency, micros, effective, fits) in [
        ("USD", 5, "[2001-01-01, 2002-01-01)", true),
        ("USD", 5, "[2001-06-01, 2003-01-01)", false),
        ("USD", 5, "[2002-01-01,)", true),
        ("USD", 5, "[2100-01-01,)", false),
        ("EUR", 5, "[2001-06-01,)", true),
        ("JPY", -1_i64, "[2001-06-01,)", false),
        ("JPY", 1_000_000_000_001, "[2001-06-01,)", false),
        ("JPY", 1, "(,2001-06-01)", false),
        ("JPY", 1, "empty", false),
        ("yen", 1, "[2001-06-01,)", false),
    ] {
        let done = sqlx::query(price)
            .bind(&sku)
            .bind(currency)
            .bind(micros)
            .bind(effective)
            .execute(&pool)
            .await;
        assert_eq!(done.is_ok(), fits, "{currency} {micros} {effective}");
    }
    let tenant = Tenant::new(stack).await;
    let org: domain::id::OrgId = tenant.org_id.parse().expect("an id");
    let record = "insert into usage_records (id, created_at, epoch, org_id, project_id, allocation_id, interval_id,
                                             meter, sku, quantity, started_at, ended_at)
                  select id, uuid_v7_at(id), 1, $1, id, id, id, 'gpu_seconds', $2, $3::integer, $4::timestamptz, $5::timestamptz
                  from (select uuid_v7() as id) as made";
    for (quantity, start, end, fits) in [
        (1, "2001-01-01", "2001-01-02", true),
        (-1, "2001-01-01", "2001-01-02", true),
        (0, "2001-01-01", "2001-01-02", false),
        (1, "2001-01-02", "2001-01-02", false),
        (1, "2001-01-02", "2001-01-01", false),
        (100_001, "2001-01-01", "2001-01-02", false),
        (1, "1999-01-01", "2001-01-02", false),
        (1, "2001-01-01", "infinity", false),
    ] {
        let done = sqlx::query(record)
            .bind(org.uuid())
            .bind(&sku)
            .bind(quantity)
            .bind(start)
            .bind(end)
            .execute(&pool)
            .await;
        assert_eq!(done.is_ok(), fits, "{quantity} from {start} to {end}");
    }
}
