//! Who somebody with a token is, and what he may do.

use serde_json::{Value, json};
use tests::key_server::now;
use tests::{KeyServer, Tenant, stack};

use super::{IDENTITIES, ME, REFRESH, link, replica, taken};

#[tokio::test(flavor = "multi_thread")]
async fn jwt_01_a_linked_subject_acts_as_the_person() {
    let (stack, server) = (stack().await, KeyServer::start().await);
    let (tenant, replica) = (
        Tenant::new(stack).await,
        replica(stack, &server.issuer).await,
    );
    let token = server.token("first", "ada");
    let stranger = replica.api(Some(&token)).get(ME).await;
    stranger.problem(401, "invalid_credentials");
    let identity = link(stack, &server.issuer, "ada", &tenant.user_id).await;
    let ada = replica.api(Some(&token));
    let me = ada.get(ME).await.expect(200);
    assert_eq!(me["user"]["id"], *tenant.user_id);
    assert_eq!(
        me["credential"],
        json!({"kind": "access_token", "id": identity["id"]})
    );
    assert_eq!(me["api_key_id"], Value::Null);
    // Roles are Berth's own, and so is the audit log: it was a person.
    let made = ada
        .post("/api/v1/projects", &json!({"name": "by token"}))
        .await
        .expect(201);
    let line: (String, String) = sqlx::query_as(
        "select actor_kind, actor_id from audit_logs where action = 'project.create' and resource_id = $1",
    )
    .bind(made["id"].as_str())
    .fetch_one(&stack.database().await)
    .await
    .expect("the log");
    assert_eq!(line, ("user".to_owned(), tenant.user_id.clone()));
    // The stack's own API knows no issuer.
    stack
        .api(Some(&token))
        .get(ME)
        .await
        .problem(401, "invalid_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_01_refusals_say_no_more_than_they_must() {
    let (stack, server) = (stack().await, KeyServer::start().await);
    let (tenant, replica) = (
        Tenant::new(stack).await,
        replica(stack, &server.issuer).await,
    );
    link(stack, &server.issuer, "ada", &tenant.user_id).await;
    taken(&replica, &server.token("first", "ada")).await;
    let of = |claims: Value| server.token_with("first", "ada", &claims);
    for claims in [
        json!({"aud": "https://other.example"}),
        json!({"iss": "https://other.example"}),
        json!({"iat": now() + 100, "exp": now() + 200}),
        json!({"exp": now() + 7200}),
        json!({"sub": ""}),
    ] {
        let answer = replica.api(Some(&of(claims.clone()))).get(ME).await;
        answer.problem(401, "invalid_credentials");
        assert_eq!(answer.header("www-authenticate"), "Bearer", "{claims}");
    }
    let expired = of(json!({"iat": now() - 400, "exp": now() - 100}));
    let answer = replica.api(Some(&expired)).get(ME).await;
    answer.problem(401, "credentials_expired");
    let good = of(json!({}));
    let (head, tail) = good.split_at(good.len() - 20);
    let other = if tail.starts_with('A') { "B" } else { "A" };
    let tampered = format!("{head}{other}{}", &tail[1..]);
    for odd in [tampered.as_str(), "a.b.c", "abc", "..", "e30.e30."] {
        let answer = replica.api(Some(odd)).get(ME).await;
        answer.problem(401, "invalid_credentials");
    }
    let metrics = replica.api(None).get("/metrics").await.text;
    for line in [
        "jwt_reject_total{reason=\"audience\"}",
        "jwt_reject_total{reason=\"expired\"}",
        "jwt_reject_total{reason=\"lifetime\"}",
        "jwks_fetch_total{result=\"ok\"}",
        "jwks_age_seconds",
        "jwks_ttl_seconds 300",
        "auth_failures_total{reason=\"access_token\"}",
        "auth_jwks_refresh_total{trigger=\"schedule\",outcome=\"ok\"}",
    ] {
        assert!(metrics.contains(line), "jwt_08: no {line} in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_several_organizations_says_which() {
    let (stack, server) = (stack().await, KeyServer::start().await);
    let (one, two) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let replica = replica(stack, &server.issuer).await;
    let uuid = |id: &str| id.rsplit('_').next().unwrap_or_default().to_owned();
    sqlx::query(
        "insert into memberships (org_id, user_id, role) values ($1::uuid, $2::uuid, 'viewer')",
    )
    .bind(uuid(&two.org_id))
    .bind(uuid(&one.user_id))
    .execute(&stack.database().await)
    .await
    .expect("a membership");
    link(stack, &server.issuer, "ada", &one.user_id).await;
    let ada = replica.api(Some(&server.token("first", "ada")));
    ada.get(ME).await.problem(400, "organization_required");
    let within = async |api: &tests::Api, org: &str| {
        let request = api.request(reqwest::Method::GET, ME);
        api.send(request.header("berth-organization", org)).await
    };
    let me = within(&ada, &two.org_id).await.expect(200);
    assert_eq!(
        (&me["organization"]["id"], &me["role"]),
        (&json!(two.org_id), &json!("viewer"))
    );
    assert_eq!(within(&ada, &one.org_id).await.expect(200)["role"], "owner");
    within(&ada, "org_00000000000000000000000000000000")
        .await
        .problem(403, "forbidden");
    within(&ada, "demo").await.problem(400, "malformed_request");
    // An API key is for one organization, and may say so.
    within(&two.api, &two.org_id).await.expect(200);
    within(&two.api, &one.org_id)
        .await
        .problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_05_two_credentials_are_none_and_keys_do_not_make_keys() {
    let (stack, server) = (stack().await, KeyServer::start().await);
    let (tenant, replica) = (
        Tenant::new(stack).await,
        replica(stack, &server.issuer).await,
    );
    link(stack, &server.issuer, "ada", &tenant.user_id).await;
    let token = server.token("first", "ada");
    let (by_key, ada) = (replica.api(Some(&tenant.key)), replica.api(Some(&token)));
    for (name, value) in [
        ("authorization", format!("Bearer {}", tenant.key)),
        ("authorization", format!("Bearer {token}")),
        ("cookie", "__Host-berth_session=x".to_owned()),
    ] {
        for api in [&by_key, &ada] {
            let request = api.request(reqwest::Method::GET, ME).header(name, &value);
            api.send(request).await.problem(400, "multiple_credentials");
        }
    }
    let keys = "/api/v1/api-keys";
    by_key
        .post(keys, &json!({"name": "ci"}))
        .await
        .problem(403, "forbidden");
    let key = ada.post(keys, &json!({"name": "ci"})).await.expect(201);
    let path = format!("{keys}/{}", key["id"].as_str().expect("an id"));
    by_key
        .post(&format!("{path}:rotate"), &json!({}))
        .await
        .problem(403, "forbidden");
    ada.post(&format!("{path}:rotate"), &json!({}))
        .await
        .expect(200);
    // Ending one is never refused for the credential's kind.
    by_key
        .post(&format!("{path}:revoke"), &Value::Null)
        .await
        .expect(200);
    // Where nobody can come in another way, keys are all there is.
    tenant
        .api
        .post(keys, &json!({"name": "ci"}))
        .await
        .expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_are_made_and_ended_by_operators() {
    let (stack, server) = (stack().await, KeyServer::start().await);
    let (tenant, replica) = (
        Tenant::new(stack).await,
        replica(stack, &server.issuer).await,
    );
    let email: String = sqlx::query_scalar("select email from users where id = $1::uuid")
        .bind(tenant.user_id.rsplit('_').next())
        .fetch_one(&stack.database().await)
        .await
        .expect("a person");
    let operator = replica.api(Some(stack.env("BERTH_ADMIN_KEY")));
    let wish = json!({"email": email, "subject": "ada"});
    tenant
        .api
        .post(IDENTITIES, &wish)
        .await
        .problem(403, "forbidden");
    let key = db::id::fresh::<uuid::Uuid>().to_string();
    let made = operator.post_as(&key, IDENTITIES, &wish).await.expect(201);
    assert_eq!(
        made["issuer"], *server.issuer,
        "the configured one is meant"
    );
    let again = operator.post_as(&key, IDENTITIES, &wish).await;
    assert_eq!(
        (again.expect(201), again.header("idempotency-replayed")),
        (made.clone(), "true")
    );
    operator
        .post(IDENTITIES, &wish)
        .await
        .problem(409, "conflict");
    stack
        .admin()
        .post(IDENTITIES, &wish)
        .await
        .problem(422, "invalid_request");
    for odd in [
        json!({"subject": "x"}),
        json!({"subject": "x", "email": "nobody@example.test"}),
        json!({"subject": "", "email": email}),
        json!({"subject": "x", "email": email, "user_id": tenant.user_id}),
        json!({"subject": "x", "email": email, "issuer": ""}),
    ] {
        operator
            .post(IDENTITIES, &odd)
            .await
            .problem(422, "invalid_request");
    }
    let path = format!("{IDENTITIES}/{}", made["id"].as_str().expect("an id"));
    assert_eq!(operator.get(&path).await.expect(200), made);
    let listed = operator
        .get(&format!("{IDENTITIES}?user_id={}", tenant.user_id))
        .await;
    assert_eq!(listed.expect(200)["items"], json!([made]));

    let old = server.token_with("first", "ada", &json!({"iat": now() - 5}));
    let ada = replica.api(Some(&old));
    ada.get(ME).await.expect(200);
    operator
        .post(&format!("{path}:revoke-tokens"), &Value::Null)
        .await
        .expect(200);
    ada.get(ME).await.problem(401, "credentials_revoked");
    let new = server.token_with("first", "ada", &json!({"iat": now() + 2}));
    replica.api(Some(&new)).get(ME).await.expect(200);
    operator.delete(&path).await.expect(204);
    replica
        .api(Some(&new))
        .get(ME)
        .await
        .problem(401, "invalid_credentials");
    operator.delete(&path).await.problem(404, "not_found");
    let actions: Vec<String> = sqlx::query_scalar(
        "select action from audit_logs where resource_id = $1 and outcome = 'allowed' order by id",
    )
    .bind(made["id"].as_str())
    .fetch_all(&stack.database().await)
    .await
    .expect("the log");
    assert_eq!(
        actions,
        ["identity.link", "identity.revoke_tokens", "identity.unlink"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn jwt_06_the_route_is_not_there_without_a_token() {
    let stack = stack().await;
    let replica = tests::Replica::start(stack, &[("INTERNAL_JWKS_REFRESH_TOKEN", "")]).await;
    let token = stack.env("INTERNAL_JWKS_REFRESH_TOKEN");
    replica
        .api(Some(token))
        .post(REFRESH, &json!({}))
        .await
        .problem(404, "not_found");
    let anybody = stack.api(None).post(REFRESH, &json!({})).await;
    anybody.problem(401, "credentials_required");
    let other = "x".repeat(64);
    for wrong in [other.as_str(), &token[1..], stack.env("BERTH_ADMIN_KEY")] {
        let answer = stack.api(Some(wrong)).post(REFRESH, &json!({})).await;
        answer.problem(401, "invalid_credentials");
    }
}
