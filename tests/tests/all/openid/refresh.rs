//! JWT-06: the order to fetch keys reaches every replica, and says which it did not reach.

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tests::{Answer, KeyServer, Replica, Stack, Tenant, eventually, rough_stack};

use super::{LIMIT, ME, REFRESH, link, replica, taken};

/// Forgets the orders of the last minute, of which there may be six, and replicas that other tests
/// have killed, which an order would wait for; what is left are `replicas`.
pub(super) async fn another_minute(stack: &Stack, replicas: i64) {
    let database = stack.database().await;
    sqlx::query("update jwks_refreshes set created_at = created_at - interval '1 hour'")
        .execute(&database)
        .await
        .expect("our own orders");
    eventually("only these replicas are there", LIMIT, || async {
        let dead =
            "delete from api_replicas where seen_at < clock_timestamp() - interval '4 seconds'";
        sqlx::query(dead).execute(&database).await.ok()?;
        let count: i64 = sqlx::query_scalar("select count(*) from api_replicas")
            .fetch_one(&database)
            .await
            .ok()?;
        (count == replicas).then_some(())
    })
    .await;
}

pub(super) async fn refresh(stack: &Stack, replica: &Replica, wish: &Value) -> Answer {
    let holder = replica.api(Some(stack.env("INTERNAL_JWKS_REFRESH_TOKEN")));
    let request = holder.request(reqwest::Method::POST, REFRESH);
    holder.send(request.json(wish)).await
}

/// The pods that said in time that they did it.
pub(super) fn acknowledged(report: &Value) -> usize {
    let pods = report["pods"].as_array().expect("pods");
    pods.iter()
        .filter(|pod| pod["acknowledged"] == true && pod["ok"] == true)
        .count()
}

pub(super) async fn refused(replicas: &[Replica], token: &str, code: &str) {
    for replica in replicas {
        replica.api(Some(token)).get(ME).await.problem(401, code);
    }
}

/// Three replicas that have the issuer's keys.
pub(super) async fn three(stack: &Stack, issuer: &str, token: &str) -> Vec<Replica> {
    let mut replicas = Vec::new();
    for _ in 0..3 {
        let replica = replica(stack, issuer).await;
        taken(&replica, token).await;
        replicas.push(replica);
    }
    replicas
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_06_a_removed_key_and_a_revoked_one_are_refused_by_all() {
    let (stack, server) = (rough_stack().await, KeyServer::start().await);
    let tenant = Tenant::new(&stack).await;
    link(&stack, &server.issuer, "ada", &tenant.user_id).await;
    let first = server.token("first", "ada");
    let replicas = three(&stack, &server.issuer, &first).await;
    another_minute(&stack, 4).await;

    server.publish("second");
    server.remove("first");
    let report = refresh(&stack, &replicas[0], &json!({"issuer": server.issuer}))
        .await
        .expect(200);
    assert_eq!(report["complete"], true, "{report}");
    assert_eq!(
        acknowledged(&report),
        4,
        "three, and the stack's own: {report}"
    );
    let changed = |pod: &&Value| {
        pod["kids_removed"] == json!(["first"]) && pod["kids_added"] == json!(["second"])
    };
    assert_eq!(
        report["pods"]
            .as_array()
            .expect("pods")
            .iter()
            .filter(changed)
            .count(),
        3,
        "{report}"
    );
    refused(&replicas, &first, "invalid_credentials").await;
    let second = server.token("second", "ada");
    for replica in &replicas {
        replica.api(Some(&second)).get(ME).await.expect(200);
    }

    // Revoked here, the provider may publish it as long as it likes.
    let wish = json!({"revoke_kids": ["second"], "purge": true});
    let report = refresh(&stack, &replicas[1], &wish).await.expect(200);
    assert_eq!(report["complete"], true, "{report}");
    refused(&replicas, &second, "credentials_revoked").await;
    let late = replica(&stack, &server.issuer).await;
    refused(std::slice::from_ref(&late), &second, "credentials_revoked").await;

    // Single tokens, sessions, and everything of before.
    server.publish("third");
    let third = |claims: Value| server.token_with("third", "ada", &claims);
    let (one, session) = (third(json!({"jti": "one"})), third(json!({"sid": "s"})));
    let before = third(json!({"iat": tests::key_server::now() - 60}));
    let after = third(json!({}));
    let wish = json!({"revoke_jtis": ["one"], "revoke_sids": ["s"]});
    refresh(&stack, &replicas[2], &wish).await.expect(200);
    refused(&replicas, &one, "credentials_revoked").await;
    refused(&replicas, &session, "credentials_revoked").await;
    replicas[0].api(Some(&before)).get(ME).await.expect(200);
    let bound = tests::key_server::now() - 30;
    let bound = time::OffsetDateTime::from_unix_timestamp(bound).expect("a time");
    let bound = bound
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a text");
    refresh(&stack, &replicas[0], &json!({"not_before": bound}))
        .await
        .expect(200);
    refused(&replicas, &before, "credentials_revoked").await;
    replicas[0].api(Some(&after)).get(ME).await.expect(200);
    audited(&stack).await;
}

async fn audited(stack: &Stack) {
    let details: Vec<Value> = sqlx::query_scalar(
        "select detail from audit_logs where action = 'jwks.refresh' and actor_kind = 'system'
         and outcome = 'allowed' order by id desc limit 4",
    )
    .fetch_all(&stack.database().await)
    .await
    .expect("the log");
    assert!(
        details
            .iter()
            .any(|detail| detail["revoke_kids"] == json!(["second"])),
        "{details:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_06_a_replica_that_missed_it_is_told_of_and_catches_up() {
    let (stack, server) = (rough_stack().await, KeyServer::start().await);
    let tenant = Tenant::new(&stack).await;
    link(&stack, &server.issuer, "ada", &tenant.user_id).await;
    let token = server.token("first", "ada");
    let replicas = three(&stack, &server.issuer, &token).await;
    another_minute(&stack, 4).await;
    server.remove("first");
    replicas[2].signal(Signal::SIGSTOP);
    let report = refresh(&stack, &replicas[0], &json!({})).await.expect(200);
    replicas[2].signal(Signal::SIGCONT);
    assert_eq!(report["complete"], false, "{report}");
    assert_eq!(acknowledged(&report), 3, "{report}");
    let missed = report["pods"]
        .as_array()
        .expect("pods")
        .iter()
        .filter(|pod| pod["acknowledged"] == false);
    assert_eq!(missed.count(), 1, "{report}");
    refused(&replicas[..2], &token, "invalid_credentials").await;
    let late = replicas[2].api(Some(&token));
    eventually("the late one catches up", LIMIT, || async {
        (late.get(ME).await.status == 401).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_06_six_a_minute_and_nothing_odd() {
    let (stack, server) = (rough_stack().await, KeyServer::start().await);
    let replica = replica(&stack, &server.issuer).await;
    another_minute(&stack, 2).await;
    for odd in [
        json!({"issuer": "https://other.example"}),
        json!({"revoke_kids": [""]}),
        json!({"revoke_kids": vec!["k"; 101]}),
        json!({"not_before": "2100-01-01T00:00:00Z"}),
        json!({"not_before": "soon"}),
        json!({"purge": "yes"}),
        json!({"force": true}),
    ] {
        refresh(&stack, &replica, &odd)
            .await
            .problem(422, "invalid_request");
    }
    let begin = server.asked();
    for _ in 0..6 {
        refresh(&stack, &replica, &json!({})).await.expect(200);
    }
    assert!(
        server.asked() >= begin + 6,
        "the floor between fetches does not hold here"
    );
    let answer = refresh(&stack, &replica, &json!({})).await;
    answer.problem(429, "rate_limited");
    assert!(!answer.header("retry-after").is_empty());
}
