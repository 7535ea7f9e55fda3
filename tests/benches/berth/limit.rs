//! What the limiter adds to a request, against a bare EVAL that moves one number on; what it adds
//! while Redis is away, and how soon Redis decides again (RL-06).

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::endpoint::RateClass;
use api::limit::{Limits, Subject};
use api::policy::Live;
use axum::http::{Extensions, HeaderMap};
use domain::rate::Rate;
use platform::limiter::{Ask, Limiter};
use platform::settings::{Settings, Source};
use tests::Stack;

use crate::percentile;

const ROUNDS: usize = 20_000;
/// The least that a limit over several processes costs: one script, one key.
const BARE: &str = "return redis.call('INCR', KEYS[1])";

pub(crate) async fn run(stack: &Stack) -> Vec<String> {
    let source = Source::of_values([
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("REDIS_URL", stack.env("REDIS_URL")),
        ("NATS_URL", "nats://127.0.0.1:1"),
        ("TEMPORAL_ADDRESS", "127.0.0.1:1"),
    ]);
    let settings = Settings::from_source(&source).expect("settings");
    let policies = Arc::new(Live::open().expect("the files are sound"));
    let limits = Limits::new(&settings, policies).expect("limits");
    let client = redis::Client::open(stack.env("REDIS_URL")).expect("a URL");
    let mut redis = redis::aio::ConnectionManager::new(client)
        .await
        .expect("Redis answers");
    let script = redis::Script::new(BARE);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    // Interleaved, so that a slow moment hits both; everybody is new, so that nobody is refused.
    for _ in 0..ROUNDS {
        let subject = Subject {
            org_id: db::id::fresh(),
            user_id: db::id::fresh(),
        };
        let start = Instant::now();
        let mut passage = limits.passage(RateClass::Read, &HeaderMap::new(), &Extensions::new());
        drop(passage.as_somebodys(subject).await);
        ours.push(start.elapsed().as_secs_f64() * 1e6);
        let start = Instant::now();
        let _: u64 = script
            .key("bench:bare")
            .invoke_async(&mut redis)
            .await
            .expect("Redis answers");
        bare.push(start.elapsed().as_secs_f64() * 1e6);
    }
    ours.sort_by(f64::total_cmp);
    bare.sort_by(f64::total_cmp);
    println!("limit: {ROUNDS} decisions over four buckets, one after the other");
    for (name, values) in [("the limiter", &ours), ("bare EVALSHA", &bare)] {
        let (p50, p99) = (percentile(values, 50), percentile(values, 99));
        println!("{name:<28} p50 {p50:7.0} us   p99 {p99:7.0} us");
    }
    let (added_millis, back_seconds) = outage(stack).await;
    vec![
        format!(
            "limit: the limiter / bare EVALSHA, p50: {:.2}, p99: {:.2}",
            percentile(&ours, 50) / percentile(&bare, 50),
            percentile(&ours, 99) / percentile(&bare, 99)
        ),
        format!(
            "limit: Redis killed: at most {added_millis:.1} ms more (RL-06: 25), Redis decides again after {back_seconds:.2} s (RL-06: 5)"
        ),
    ]
}

/// The longest decision from Redis' death until it is up, and the time from there until it decides.
async fn outage(stack: &Stack) -> (f64, f64) {
    let limiter = Limiter::new(&stack.env("REDIS_URL").into(), 1).expect("an address");
    let ask = [Ask {
        key: "bench:outage".to_owned(),
        rate: Rate::new(1_000_000, 100_000),
    }];
    let mut taken = Vec::new();
    let mut decided = async || {
        let start = Instant::now();
        let decided = limiter.decide(&ask).await.is_ok();
        taken.push(start.elapsed().as_secs_f64() * 1e3);
        // Callers come one after the other, not in a loop that keeps the processor.
        tokio::time::sleep(Duration::from_millis(1)).await;
        decided
    };
    while !decided().await {}
    stack.kill("redis");
    {
        let mut up = std::pin::pin!(stack.control("start", "redis"));
        while futures::poll!(up.as_mut()).is_pending() {
            decided().await;
        }
    }
    let up = Instant::now();
    while !decided().await {}
    let back_seconds = up.elapsed().as_secs_f64();
    taken.sort_by(f64::total_cmp);
    let (p50, p99) = (percentile(&taken, 50), percentile(&taken, 99));
    let most = taken.last().copied().unwrap_or_default();
    println!(
        "{:<28} p50 {p50:7.2} ms   p99 {p99:7.2} ms   most {most:7.2} ms",
        "while Redis is away"
    );
    println!("{:<28} {back_seconds:7.2} s", "Redis decides again after");
    (most, back_seconds)
}
