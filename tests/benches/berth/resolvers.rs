//! What it costs to know who calls: `GET /api/v1/me` by API key and by access token, against the
//! same process's answer to nobody, and valid tokens under a flood of unknown key ids (JWT-05).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tests::{Api, KeyServer, Replica, Stack, Tenant};

use crate::percentile;

const CALLS: usize = 400;
const ROUNDS: usize = 3;
const FLOODERS: usize = 8;
const ME: &str = "/api/v1/me";

pub(crate) async fn run(stack: &Stack, tenant: &Tenant) -> Vec<String> {
    let server = KeyServer::start().await;
    let settings = [
        ("OIDC_ISSUER_URL", server.issuer.as_str()),
        ("BERTH_OIDC_AUDIENCE", tests::key_server::AUDIENCE),
    ];
    let replica = Replica::start(stack, &settings).await;
    let wish = json!({"user_id": tenant.user_id, "issuer": server.issuer, "subject": "bench"});
    stack
        .admin()
        .post("/api/v1/admin/identities", &wish)
        .await
        .expect(201);
    let token = server.token("first", "bench");
    let (nobody, by_key, by_token) = (
        replica.api(None),
        replica.api(Some(&tenant.key)),
        replica.api(Some(&token)),
    );
    tests::eventually("the keys are there", Duration::from_secs(30), || async {
        (by_token.get(ME).await.status == 200).then_some(())
    })
    .await;
    let (mut floor, mut keys, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // Interleaved, so that a slow minute hits all.
        floor.extend(millis(&nobody, 401).await);
        keys.extend(millis(&by_key, 200).await);
        tokens.extend(millis(&by_token, 200).await);
    }
    let asked = server.asked();
    let flooded = under_flood(&replica, &token).await;
    let lists = [floor, keys, tokens, flooded].map(|mut list| {
        list.sort_by(f64::total_cmp);
        list
    });
    let names = [
        "nobody (401)",
        "API key",
        "access token",
        "token, under a flood",
    ];
    println!("resolvers: GET /me, one caller, {ROUNDS} x {CALLS} calls each");
    for (name, list) in names.iter().zip(&lists) {
        println!(
            "{name:<28} p50 {:7.2} ms   p99 {:7.2} ms",
            percentile(list, 50),
            percentile(list, 99)
        );
    }
    println!("fetches of keys by the flood {:9}", server.asked() - asked);
    let [floor, keys, tokens, flooded] = &lists;
    vec![
        format!(
            "resolvers: API key / nobody, p50: {:.2}",
            percentile(keys, 50) / percentile(floor, 50)
        ),
        format!(
            "resolvers: access token / API key, p50: {:.2}",
            percentile(tokens, 50) / percentile(keys, 50)
        ),
        format!(
            "resolvers: token under a flood of unknown keys / quiet, p99: {:.2}",
            percentile(flooded, 99) / percentile(tokens, 99)
        ),
    ]
}

async fn millis(api: &Api, status: u16) -> Vec<f64> {
    let mut taken = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let start = Instant::now();
        api.get(ME).await.expect(status);
        taken.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    taken
}

/// Valid calls while others send tokens with a fresh key id each, 1,000 a second in all.
async fn under_flood(replica: &Replica, token: &str) -> Vec<f64> {
    let over = Arc::new(AtomicBool::new(false));
    let (_, rest) = token.split_once('.').expect("three parts");
    let mut flooders = tokio::task::JoinSet::new();
    for flooder in 0..FLOODERS {
        let (over, rest, anybody) = (over.clone(), rest.to_owned(), replica.api(None));
        flooders.spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(FLOODERS as u64));
            for n in 0_u64.. {
                beat.tick().await;
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{flooder}-{n}"}}"#);
                let forged = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
                anybody.with_key(Some(&forged)).get(ME).await.expect(401);
            }
        });
    }
    let api = replica.api(Some(token));
    let mut valid = Vec::new();
    for _ in 0..ROUNDS {
        valid.extend(millis(&api, 200).await);
    }
    over.store(true, Ordering::Relaxed);
    flooders.join_all().await;
    valid
}
