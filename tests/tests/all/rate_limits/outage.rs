//! RL-03, RL-06: what holds while Redis is slow or gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use api::endpoint::RateClass;
use api::limit::{Limits, Subject};
use api::policy::Live;
use api::problem::Code;
use axum::http::{Extensions, HeaderMap};
use nix::sys::signal::{Signal, kill};
use platform::settings::{Settings, Source};
use tests::limits::{in_force, quota};
use tests::{Api, Replica, Stack, Tenant, eventually, rough_stack};

use super::counter;

const ME: &str = "/api/v1/me";
const LIMIT: Duration = Duration::from_secs(20);
/// The limit that Redis keeps, and the part of it that one of two processes has without Redis: the
/// size that an answer tells says who decided.
const WHOLE: i64 = 80_000;
const PART: i64 = WHOLE / 2;

async fn failed_open(api: &Api) -> u64 {
    let metrics = api.get("/metrics").await.text;
    counter(&metrics, "api_ratelimit_fail_open_total{class=\"read\"}")
}

async fn breaker(stack: &Stack, replica: &Replica) -> String {
    let operator = stack.admin().at(&replica.base);
    let stats = operator.get("/api/v1/internal/stats").await.expect(200);
    stats["limiter"]["breaker"]
        .as_str()
        .expect("a state")
        .to_owned()
}

/// A replica that believes to be one of two, and a tenant with a limit of its own on it.
async fn one_of_two(stack: &Stack) -> (Replica, Tenant, Api) {
    let replica = Replica::start(stack, &[("BERTH_API_REPLICAS", "2")]).await;
    let tenant = Tenant::new(stack).await;
    stack.limit("read", &tenant.org_id, 600_000, WHOLE).await;
    let api = tenant.api.at(&replica.base);
    in_force(&api, "read-principal", WHOLE).await;
    (replica, tenant, api)
}

#[tokio::test(flavor = "multi_thread")]
async fn rl_03_a_redis_that_hangs_is_waited_for_five_times_and_looked_at_each_second() {
    let stack = rough_stack().await;
    let (replica, _tenant, api) = one_of_two(&stack).await;
    assert_eq!(breaker(&stack, &replica).await, "closed");
    let before = failed_open(&api).await;
    let redis = stack.pid("redis").expect("Redis runs");
    kill(redis, Signal::SIGSTOP).expect("it is alive");
    let mut calls = 0;
    for _ in 0..5 {
        let answer = api.get(ME).await;
        answer.expect(200);
        assert_eq!(
            quota(&answer, "read-principal"),
            Some(PART),
            "nobody else decided"
        );
        calls += 1;
    }
    assert_ne!(
        breaker(&stack, &replica).await,
        "closed",
        "five were enough"
    );
    // While it is open nobody waits, but for one look a second.
    let (start, mut slow) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_millis(2_500) {
        let asked = Instant::now();
        let answer = api.get(ME).await;
        answer.expect(200);
        assert_eq!(quota(&answer, "read-principal"), Some(PART));
        calls += 1;
        slow += u64::from(asked.elapsed() >= Duration::from_millis(20));
    }
    assert!(calls > 20 && slow < calls / 2, "{slow} of {calls} waited");
    assert_eq!(
        failed_open(&api).await - before,
        calls,
        "each is counted, once"
    );
    kill(redis, Signal::SIGCONT).expect("it is alive");
    in_force(&api, "read-principal", WHOLE).await;
    assert_eq!(breaker(&stack, &replica).await, "closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn rl_06_without_redis_open_classes_go_on_and_every_undecided_request_is_counted() {
    let stack = rough_stack().await;
    let (replica, _tenant, api) = one_of_two(&stack).await;
    let before = failed_open(&api).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (decided, undecided) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut load = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (api, stop) = (api.clone(), stop.clone());
        let (decided, undecided) = (decided.clone(), undecided.clone());
        load.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = api.get(ME).await;
                answer.expect(200);
                match quota(&answer, "read-principal") {
                    Some(WHOLE) => decided.fetch_add(1, Ordering::Relaxed),
                    Some(PART) => undecided.fetch_add(1, Ordering::Relaxed),
                    other => panic!("{other:?}"),
                };
            }
        });
    }
    let reach = async |what: &str, count: &AtomicU64| {
        let wanted = count.load(Ordering::Relaxed) + 100;
        eventually(what, LIMIT, || async {
            (count.load(Ordering::Relaxed) >= wanted).then_some(())
        })
        .await;
    };
    reach("Redis decides", &decided).await;
    stack.kill("redis");
    reach("this process decides alone", &undecided).await;
    stack.control("start", "redis").await;
    reach("Redis decides again", &decided).await;
    stop.store(true, Ordering::Relaxed);
    load.join_all().await;
    let counted = failed_open(&api).await;
    assert_eq!(counted - before, undecided.load(Ordering::Relaxed));
    let stats = stack
        .admin()
        .at(&replica.base)
        .get("/api/v1/internal/stats")
        .await;
    assert_eq!(stats.expect(200)["limiter"]["failed_open"]["read"], counted);
}

/// No route hands out tickets yet, so this is the limiter's own seam, with the real Redis.
#[tokio::test(flavor = "multi_thread")]
async fn rl_06_tickets_are_refused_while_nobody_can_decide() {
    let stack = rough_stack().await;
    let source = Source::of_values([
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none"),
        ("REDIS_URL", stack.env("REDIS_URL")),
        ("NATS_URL", "nats://127.0.0.1:1"),
        ("TEMPORAL_ADDRESS", "127.0.0.1:1"),
    ]);
    let settings = Settings::from_source(&source).expect("settings");
    let policies = Arc::new(Live::open().expect("the files are sound"));
    let limits = Limits::new(&settings, policies).expect("limits");
    let somebody = Subject {
        org_id: db::id::fresh(),
        user_id: db::id::fresh(),
    };
    let ask = async |class| {
        let mut passage = limits.passage(class, &HeaderMap::new(), &Extensions::new());
        passage.as_somebodys(somebody).await
    };
    eventually("Redis decides", LIMIT, || async {
        ask(RateClass::Terminal).await.ok()
    })
    .await;
    stack.control("stop", "redis").await;
    for _ in 0..10 {
        let problem = ask(RateClass::Terminal).await.expect_err("nobody decided");
        assert_eq!(problem.code(), Code::Unavailable);
        assert_eq!(problem.code().status(), 503);
        assert!(problem.retry_after().is_some());
        ask(RateClass::Read).await.expect("reads go on");
    }
    stack.control("start", "redis").await;
    eventually("tickets again", LIMIT, || async {
        ask(RateClass::Terminal).await.ok()
    })
    .await;
}
