//! Bills against an oracle: plain arithmetic over whole numbers, written from what a bill is and not
//! from the SQL that makes it.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use tests::{Stack, stack};
use uuid::Uuid;

use super::world::{self, Rate, Use, micros};

/// February of a leap year.
const START: &str = "2004-02-01T00:00:00Z";
const END: &str = "2004-03-01T00:00:00Z";
const CURRENCIES: [(&str, i128); 3] = [("USD", 10_000), ("JPY", 1_000_000), ("KWD", 1_000)];
const HOUR: i128 = 3_600_000_000;
/// Histories; each is lived by two organizations.
const HISTORIES: usize = 36;

/// What is owed for some use: GPU microseconds and micros by project, SKU and price, and in all.
#[derive(Debug, PartialEq, Eq)]
struct Owed {
    lines: BTreeMap<(Uuid, String, i64), (i128, i128)>,
    total: i128,
}

/// The nearest whole number, the even one of two as near.
fn nearest(numerator: i128, denominator: i128) -> i128 {
    let below = numerator.div_euclid(denominator);
    let twice = 2 * numerator.rem_euclid(denominator);
    let up = twice > denominator || (twice == denominator && below % 2 != 0);
    below + i128::from(up)
}

fn owed(uses: &[Use], rates: &[Rate], currency: &str, unit: i128) -> Owed {
    let (first, last) = (micros(START), micros(END));
    let mut sums: BTreeMap<(Uuid, String, i64), i128> = BTreeMap::new();
    for one in uses {
        for rate in rates {
            if rate.sku != one.sku || rate.currency != currency {
                continue;
            }
            let from = one.start.max(first).max(rate.start);
            let to = one.end.min(last).min(rate.end.unwrap_or(i64::MAX));
            if from < to {
                let key = (one.project, one.sku.clone(), rate.micros);
                *sums.entry(key).or_default() += i128::from(one.quantity) * i128::from(to - from);
            }
        }
    }
    let lines: BTreeMap<_, _> = sums
        .into_iter()
        .filter(|(_, used)| *used != 0)
        .map(|(key, used)| {
            let amount = nearest(used * i128::from(key.2), HOUR);
            (key, (used, amount))
        })
        .collect();
    let sum: i128 = lines.values().map(|(_, amount)| amount).sum();
    Owed {
        total: nearest(sum, unit) * unit,
        lines,
    }
}

/// Use that begins before, in and after the month, runs over its edges and over changes of price,
/// and may be taken back in part.
fn history(random: &mut StdRng, org: Uuid, projects: &[Uuid], skus: &[String]) -> Vec<Use> {
    let (first, last) = (micros(START), micros(END));
    let day = 86_400_000_000;
    let mut uses = Vec::new();
    for _ in 0..random.random_range(0..9) {
        let start = random.random_range(first - 3 * day..last + day);
        let end = start + random.random_range(1..6 * day);
        let quantity = random.random_range(1..=16);
        let one = Use {
            org,
            project: projects[random.random_range(0..projects.len())],
            sku: skus[random.random_range(0..skus.len())].clone(),
            quantity,
            start,
            end,
        };
        if random.random_bool(0.3) {
            let start = random.random_range(one.start..one.end);
            uses.push(Use {
                quantity: -quantity,
                start,
                ..one.clone()
            });
        }
        uses.push(one);
    }
    uses
}

/// The same use in other pieces and another order.
fn shuffled(random: &mut StdRng, uses: &[Use], org: Uuid) -> Vec<Use> {
    let mut pieces = Vec::new();
    for one in uses {
        let mut start = one.start;
        while start < one.end {
            let end = if random.random_bool(0.5) {
                one.end
            } else {
                random.random_range(start..one.end) + 1
            };
            pieces.push(Use {
                org,
                start,
                end,
                ..one.clone()
            });
            start = end;
        }
    }
    pieces.shuffle(random);
    pieces
}

struct Life {
    org: Uuid,
    currency: usize,
    uses: Vec<Use>,
}

async fn lives(stack: &Stack, random: &mut StdRng, skus: &[String]) -> Vec<Life> {
    let mut lives = Vec::new();
    for history_number in 0..HISTORIES {
        let currency = history_number % CURRENCIES.len();
        let org = world::organization(stack, CURRENCIES[currency].0).await;
        let twin = world::organization(stack, CURRENCIES[currency].0).await;
        let projects = [
            Uuid::from_u128(random.random()),
            Uuid::from_u128(random.random()),
        ];
        let uses = history(random, org, &projects, skus);
        let others = shuffled(random, &uses, twin);
        lives.push(Life {
            org,
            currency,
            uses,
        });
        lives.push(Life {
            org: twin,
            currency,
            uses: others,
        });
    }
    lives
}

async fn prices(stack: &Stack, random: &mut StdRng, skus: &[String]) -> Vec<Rate> {
    let (first, last) = (micros(START), micros(END));
    let mut rates = Vec::new();
    for sku in skus {
        for (currency, _) in CURRENCIES {
            let change = random.random_range(first..last);
            let early = micros("2000-01-01T00:00:00Z");
            for (start, end) in [(early, Some(change)), (change, None)] {
                rates.push(Rate {
                    sku: sku.clone(),
                    currency,
                    micros: random.random_range(0..40_000_000),
                    start,
                    end,
                });
            }
        }
    }
    for rate in &rates {
        world::price(stack, rate).await;
    }
    rates
}

/// What the last invoice of an organization says.
async fn billed(stack: &Stack, org: Uuid) -> Owed {
    let pool = stack.database().await;
    let last = "select id, total_micros from invoices i where org_id = $1 and kind = 'invoice'
                and revision = (select max(revision) from billing_claims where org_id = $1)";
    let last: Option<(Uuid, i64)> = sqlx::query_as(last)
        .bind(org)
        .fetch_optional(&pool)
        .await
        .expect("an invoice");
    let Some((invoice, total)) = last else {
        return Owed {
            lines: BTreeMap::new(),
            total: 0,
        };
    };
    let lines = "select project_id, sku, price_micros, sum(gpu_microseconds)::bigint, sum(amount_micros)::bigint
                 from invoice_lines where invoice_id = $1 group by 1, 2, 3";
    let lines: Vec<(Uuid, String, i64, i64, i64)> = sqlx::query_as(lines)
        .bind(invoice)
        .fetch_all(&pool)
        .await
        .expect("lines");
    let lines = lines
        .into_iter()
        .map(|(project, sku, price, used, amount)| {
            ((project, sku, price), (used.into(), amount.into()))
        });
    Owed {
        lines: lines.collect(),
        total: total.into(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bills_are_what_plain_arithmetic_says_in_whatever_order_use_arrives() {
    let stack = stack().await;
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let skus = [world::sku(stack).await, world::sku(stack).await];
    let rates = prices(stack, &mut random, &skus).await;
    let all = lives(stack, &mut random, &skus).await;
    let orgs: Vec<Uuid> = all.iter().map(|life| life.org).collect();
    // Part of the use is known at first, more of it later, the rest last.
    let mut waves: [Vec<Use>; 3] = Default::default();
    for one in all.iter().flat_map(|life| &life.uses) {
        let wave = [0, 0, 0, 1, 2][random.random_range(0..5)];
        waves[wave].push(one.clone());
    }
    for wave in &waves {
        world::record(stack, wave).await;
        let run = world::bill(stack, START, END, None).await;
        assert_eq!(run["accounts_parked"], 0, "{run}");
        world::assert_sound(stack, &orgs).await;
    }
    for life in &all {
        let (currency, unit) = CURRENCIES[life.currency];
        let owed = owed(&life.uses, &rates, currency, unit);
        assert_eq!(
            billed(stack, life.org).await,
            owed,
            "seed {seed}, {}",
            life.org
        );
        let accounts = world::accounts(stack, life.org).await;
        let sum = |name: &str| i128::from(accounts.get(name).copied().unwrap_or(0));
        let lines: i128 = owed.lines.values().map(|(_, amount)| amount).sum();
        assert_eq!(sum("receivable"), -owed.total, "seed {seed}");
        assert_eq!(sum("revenue"), lines, "seed {seed}");
        assert_eq!(sum("rounding"), owed.total - lines, "seed {seed}");
    }
    for pair in all.chunks(2) {
        let [one, twin] = [&pair[0], &pair[1]].map(|life| world::accounts(stack, life.org));
        assert_eq!(one.await, twin.await, "seed {seed}");
    }
    let before = world::rows(stack, &orgs).await;
    let run = world::bill(stack, START, END, None).await;
    // Other tests make accounts meanwhile; these have nothing left to bill.
    assert_eq!(run["invoices_issued"], 0, "all was settled: {run}");
    assert_eq!(world::rows(stack, &orgs).await, before);
}
