//! RL-05, and what a flood of strangers costs.

use futures::future::join_all;
use reqwest::Method;
use tests::stack::Turn;
use tests::{Answer, Api, Replica, Tenant, eventually, rough_stack};

use super::{counter, told};

const ME: &str = "/api/v1/me";
const BURST: i64 = 4;

/// A replica that trusts its peer's word, on a stack where a stranger has [`BURST`] calls.
async fn behind_a_proxy(stack: &Turn) -> Replica {
    stack.limit("unauthenticated", "platform", 1, BURST).await;
    let replica = Replica::start(
        stack,
        &[("BERTH_TRUSTED_PROXY_CIDRS", "127.0.0.0/8,::1/128")],
    )
    .await;
    let probe = replica.api(None);
    let limit = std::time::Duration::from_secs(20);
    eventually("strangers are few", limit, || async {
        let from = format!("198.18.0.{}", rand::random::<u8>());
        let answer = call(&probe, None, &[("x-forwarded-for", &from)]).await;
        let told = told(&answer);
        (told["unauthenticated-address"].q == BURST).then_some(())
    })
    .await;
    replica
}

async fn call(api: &Api, key: Option<&str>, headers: &[(&str, &str)]) -> Answer {
    let api = api.with_key(key);
    let request = headers
        .iter()
        .fold(api.request(Method::GET, ME), |request, (name, value)| {
            request.header(*name, *value)
        });
    api.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rl_05_a_stranger_cannot_choose_his_bucket() {
    let stack = rough_stack().await;
    let replica = behind_a_proxy(&stack).await;
    let api = replica.api(None);
    let spoofs: [&[(&str, &str)]; 10] = [
        &[("x-forwarded-for", "203.0.113.7")],
        &[("x-forwarded-for", "1.2.3.4, 203.0.113.7")],
        &[
            ("x-forwarded-for", "1.2.3.5"),
            ("x-forwarded-for", "203.0.113.7"),
        ],
        &[("x-forwarded-for", "127.0.0.1, 203.0.113.7")],
        &[("x-forwarded-for", "unknown, ::ffff:203.0.113.7")],
        &[("x-forwarded-for", "1.2.3.6:80,203.0.113.7:4711")],
        &[("x-forwarded-for", "1.2.3.7, 203.0.113.7, 127.0.0.9")],
        &[("forwarded", "for=1.2.3.8, for=203.0.113.7")],
        &[(
            "forwarded",
            "for=\"1.2.3.9, for=8.8.8.8\", for=\"203.0.113.7:1\"",
        )],
        &[("forwarded", "for=\"[::ffff:203.0.113.7]\";proto=https")],
    ];
    let mut statuses = Vec::new();
    for spoof in spoofs {
        statuses.push(call(&api, None, spoof).await.status.as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 401, 429, 429, 429, 429, 429, 429]);
    // Words that contradict each other count as the proxy's own, and run out like any other's.
    let mut last = 0;
    for n in 0..=BURST {
        let (one, other) = (format!("192.0.2.{n}"), format!("for=192.0.2.1{n}"));
        let headers = [("x-forwarded-for", &*one), ("forwarded", &*other)];
        last = call(&api, None, &headers).await.status.as_u16();
    }
    assert_eq!(last, 429);
    // One /64 is one caller, another one is another, and a /56 has four times as much.
    let v6 = async |text: String| call(&api, None, &[("x-forwarded-for", &text)]).await;
    for n in 0..BURST {
        v6(format!("2001:db8:0:1::{n}"))
            .await
            .problem(401, "credentials_required");
    }
    let refused = v6("2001:db8:0:1:ffff::1".to_owned()).await;
    let problem = refused.problem(429, "rate_limited");
    assert_eq!(
        problem["violated_policies"],
        serde_json::json!(["unauthenticated-address"])
    );
    let next = v6("2001:db8:0:2::1".to_owned()).await;
    next.problem(401, "credentials_required");
    assert_eq!(told(&next)["unauthenticated-address-56"].q, 4 * BURST);
    assert_eq!(told(&next)["unauthenticated-address-48"].q, 16 * BURST);
    // Who is not trusted is not believed.
    let direct = stack.api(None);
    let answer = call(&direct, None, &[("x-forwarded-for", "203.0.113.7")]).await;
    assert_ne!(answer.header("ratelimit"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bad_keys_does_not_reach_the_database_and_shuts_nobody_out() {
    use domain::api_key::ApiKey;
    let stack = rough_stack().await;
    let replica = behind_a_proxy(&stack).await;
    let tenant = Tenant::new(&stack).await;
    let api = replica.api(None);
    let office: &[(&str, &str)] = &[("x-forwarded-for", "203.0.113.20")];
    // Whoever proves to be somebody has the stranger's charge back: more keys than a stranger has.
    for _ in 0..2 * BURST {
        let own = tenant.colleague(&stack, "viewer").await;
        let request = own.at(&replica.base).request(Method::GET, ME);
        own.send(request.header("x-forwarded-for", "203.0.113.20"))
            .await
            .expect(200);
    }
    call(&api, Some(&tenant.key), office).await.expect(200);
    let looked_up = async || {
        let metrics = api.get("/metrics").await.text;
        counter(&metrics, "auth_failures_total{reason=\"unknown\"}")
    };
    let before = looked_up().await;
    let keys: Vec<String> = (0..200)
        .map(|n| {
            let key = ApiKey::from_parts(&format!("{n:012}"), &"x".repeat(43));
            key.expect("parts").reveal()
        })
        .collect();
    let answers = join_all(keys.iter().map(|key| call(&api, Some(key), office))).await;
    let refused = answers.iter().filter(|a| a.status == 429).count();
    let tried = answers.iter().filter(|a| a.status == 401).count();
    assert_eq!(refused + tried, 200);
    // Where the machine is too busy to read Redis in time, its own tier lets as many through again.
    let most = usize::try_from(2 * BURST).expect("few") + 1;
    assert!((1..=most).contains(&tried), "{tried} of {BURST}");
    assert_eq!(
        looked_up().await - before,
        u64::try_from(tried).expect("few")
    );
    // The good key from the same address goes on working.
    for _ in 0..3 {
        call(&api, Some(&tenant.key), office).await.expect(200);
    }
    // A typing mistake is refused at sight, whatever the flood: it costs nothing (AK-02).
    let mistyped = format!("{}x", &keys[0][..keys[0].len() - 1]);
    call(&api, Some(&mistyped), office)
        .await
        .problem(401, "invalid_credentials");
    // Probes are never held off.
    for path in ["/livez", "/readyz", "/metrics"] {
        let probes = join_all((0..3 * BURST).map(|_| api.get(path))).await;
        assert!(probes.iter().all(|a| a.status == 200), "{path}");
    }
}
