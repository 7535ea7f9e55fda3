//! What the limiter adds to a request, against a bare EVAL that moves one number on.

use std::sync::Arc;
use std::time::Instant;

use api::endpoint::RateClass;
use api::limit::{Limits, Subject};
use api::policy::Live;
use axum::http::{Extensions, HeaderMap};
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
    vec![format!(
        "limit: the limiter / bare EVALSHA, p50: {:.2}, p99: {:.2}",
        percentile(&ours, 50) / percentile(&bare, 50),
        percentile(&ours, 99) / percentile(&bare, 99)
    )]
}
