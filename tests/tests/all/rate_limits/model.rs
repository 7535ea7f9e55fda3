//! RL-01: the script decides as the algorithm says, written once more in Rust.

use std::collections::BTreeMap;

use platform::limiter::{Ask, Limiter, SCRIPT};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use tests::stack;

/// Sequences that are tried: with `BERTH_RATE_SEQUENCES=10000` as many as the requirement says.
const SEQUENCES: usize = 500;

/// One call: the clock moves on, then these buckets are charged.
#[derive(Debug, Clone)]
struct Step {
    later_micros: u64,
    /// Bucket, and whether its other limit holds now: policies change.
    buckets: Vec<(usize, bool)>,
    calls: i64,
}

/// Microseconds of one call and burst: two for each bucket.
const LIMITS: [[(u64, u64); 2]; 5] = [
    [(1_000, 5), (2_000, 1)],
    [(100_000, 20), (50_000, 40)],
    [(60_000_000, 1), (1, 100_000_000)],
    [(7, 3), (8_571_429, 2)],
    [(600_000, 100), (600_000, 3)],
];

fn step() -> impl Strategy<Value = Step> {
    let later_micros = prop_oneof![Just(0), 0_u64..2_000, 0_u64..1_000_000, 0_u64..200_000_000];
    let buckets = proptest::sample::subsequence((0..LIMITS.len()).collect::<Vec<_>>(), 1..=4);
    (
        later_micros,
        buckets,
        any::<u8>(),
        prop_oneof![9 => Just(1_i64), 1 => Just(-1)],
    )
        .prop_map(|(later_micros, buckets, other, calls)| Step {
            later_micros,
            buckets: buckets
                .into_iter()
                .map(|bucket| (bucket, other & (1 << bucket) != 0 && other > 200))
                .collect(),
            calls,
        })
}

/// The reference: arrival times of all buckets.
#[derive(Default)]
struct Model {
    arrivals: BTreeMap<usize, u64>,
}

impl Model {
    fn decide(&mut self, now: u64, step: &Step) -> Vec<u64> {
        let looked: Vec<(usize, u64, u64, bool)> = step
            .buckets
            .iter()
            .map(|(bucket, other)| {
                let (interval, burst) = LIMITS[*bucket][usize::from(*other)];
                let furthest = now + interval * burst;
                let arrival = self.arrivals.get(bucket).copied().unwrap_or(now);
                let arrival = arrival.clamp(now, furthest);
                let after = arrival
                    .saturating_add_signed(step.calls * i64::try_from(interval).expect("small"))
                    .max(now);
                (*bucket, arrival, after, after > furthest)
            })
            .collect();
        let allowed = looked.iter().all(|(_, _, _, exceeded)| !exceeded);
        let mut answer = vec![now, u64::from(allowed)];
        for (bucket, arrival, after, exceeded) in looked {
            if allowed {
                self.arrivals.insert(bucket, after);
            }
            answer.extend([u64::from(exceeded), if allowed { after } else { arrival }]);
        }
        answer
    }
}

/// The script with its clock in the test's hand: nothing else of it is changed.
fn injected() -> redis::Script {
    let clock = "redis.call('TIME')";
    assert_eq!(
        SCRIPT.matches(clock).count(),
        1,
        "it looks at the clock once"
    );
    redis::Script::new(&SCRIPT.replace(clock, "{ ARGV[#ARGV - 1], ARGV[#ARGV] }"))
}

async fn connect(url: &str) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(url).expect("a URL");
    client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis answers")
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much is tried is the runner's wish"
)]
fn sequences() -> usize {
    let wished = std::env::var("BERTH_RATE_SEQUENCES").ok();
    wished.map_or(SEQUENCES, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn rl_01_the_script_equals_the_model() {
    let mut redis = connect(stack().await.env("REDIS_URL")).await;
    let (script, mut runner) = (injected(), TestRunner::default());
    script.load_async(&mut redis).await.expect("a sound script");
    let (mut allowed, mut refused) = (0, 0);
    for sequence in 0..sequences() {
        let steps = vec(step(), 1..60)
            .new_tree(&mut runner)
            .expect("a sequence")
            .current();
        let run = format!("test:{}:{sequence}", db::id::fresh::<uuid::Uuid>());
        let (mut model, mut now) = (Model::default(), 1_700_000_000_000_000_u64);
        let (mut pipe, mut expected) = (redis::pipe(), Vec::new());
        for step in &steps {
            now += step.later_micros;
            expected.push(model.decide(now, step));
            let call = pipe.cmd("EVALSHA").arg(script.get_hash());
            call.arg(step.buckets.len());
            for (bucket, _) in &step.buckets {
                call.arg(format!("{run}:{bucket}"));
            }
            for (bucket, other) in &step.buckets {
                let (interval, burst) = LIMITS[*bucket][usize::from(*other)];
                call.arg(interval).arg(burst).arg(step.calls);
            }
            call.arg(now / 1_000_000).arg(now % 1_000_000);
        }
        let answers: Vec<Vec<u64>> = pipe.query_async(&mut redis).await.expect("answers");
        for (at, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
            assert_eq!(answer, expected, "step {at} of {steps:#?}");
        }
        allowed += expected.iter().filter(|answer| answer[1] == 1).count();
        refused += expected.iter().filter(|answer| answer[1] == 0).count();
    }
    assert!(
        refused > allowed / 20 && allowed > refused / 20,
        "the sequences try both: {allowed} allowed, {refused} refused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rl_01_all_buckets_are_charged_or_none_by_redis_clock() {
    let url = stack().await.env("REDIS_URL");
    let limiter = Limiter::new(&url.to_owned().into(), 1).expect("a URL");
    let run = db::id::fresh::<uuid::Uuid>();
    let ask = |name: &str, per_minute, burst| Ask {
        key: format!("test:{run}:{name}"),
        rate: domain::rate::Rate::new(per_minute, burst),
    };
    let (wide, narrow) = (ask("wide", 60, 10), ask("narrow", 1, 1));
    let both = [wide.clone(), narrow];
    // The first call of all makes the connection.
    let first = tests::eventually(
        "Redis decides",
        std::time::Duration::from_secs(5),
        || async { limiter.decide(&both).await.ok() },
    )
    .await;
    assert_eq!((first[0].exceeded, first[1].exceeded), (false, false));
    assert_eq!((first[0].level.left, first[1].level.left), (9, 0));
    for _ in 0..3 {
        let refused = limiter.decide(&both).await.expect("Redis decides");
        assert_eq!((refused[0].exceeded, refused[1].exceeded), (false, true));
        assert!(
            (58..=60).contains(&refused[1].level.next_seconds),
            "{refused:?}"
        );
        assert_eq!(refused[0].level.left, 9, "the other bucket is not charged");
    }
    limiter
        .give_back(std::slice::from_ref(&wide))
        .await
        .expect("Redis answers");
    let after = limiter.decide(&[wide]).await.expect("Redis decides");
    assert_eq!(after[0].level.left, 9, "what was given back is there again");
    let mut redis = connect(url).await;
    let ttl: i64 = redis::cmd("PTTL")
        .arg(format!("test:{run}:wide"))
        .query_async(&mut redis)
        .await
        .expect("an answer");
    assert!(
        (1..=10_000).contains(&ttl),
        "a bucket forgets itself: {ttl} ms"
    );
}
