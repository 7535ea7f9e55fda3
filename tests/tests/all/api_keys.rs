//! AK-01, AK-02: what opens, for how long, and what a stranger learns from being refused.

use reqwest::Method;
use serde_json::{Value, json};
use tests::{Answer, Api, Stack, Tenant, stack};

const API_KEYS: &str = "/api/v1/api-keys";

async fn issue(api: &Api, body: Value) -> (String, String) {
    let key = api.post(API_KEYS, &body).await.expect(201);
    let text = |name: &str| key[name].as_str().expect(name).to_owned();
    (text("id"), text("secret"))
}

async fn me(stack: &Stack, secret: &str) -> Answer {
    stack.api(Some(secret)).get("/api/v1/me").await
}

/// Everything that may differ between two refusals is taken out.
fn shape(answer: &Answer) -> (u16, Value) {
    let mut body = answer.json();
    body["request_id"] = Value::Null;
    (answer.status.as_u16(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_01_the_secret_is_shown_once_and_kept_nowhere() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let name = format!("ci-{}", tenant.org_id);
    let key = db::id::fresh::<uuid::Uuid>().to_string();
    let first = tenant
        .api
        .post_as(&key, API_KEYS, &json!({ "name": name }))
        .await;
    let issued = first.expect(201);
    let (id, secret) = (
        issued["id"].as_str().expect("id"),
        issued["secret"].as_str().expect("secret"),
    );
    me(stack, secret).await.expect(200);
    let again = tenant
        .api
        .post_as(&key, API_KEYS, &json!({ "name": name }))
        .await;
    let problem = again.problem(409, "secret_already_delivered");
    let detail = problem["detail"].as_str().expect("detail");
    assert!(
        detail.contains(id) && detail.contains(":rotate"),
        "the way out is named: {detail}"
    );
    let shown = tenant.api.get(&format!("{API_KEYS}/{id}")).await;
    assert!(shown.expect(200).get("secret").is_none());
    let parsed = domain::api_key::ApiKey::parse(secret).expect("a key of our form");
    let random_part = &secret["berth_".len() + 12 + 1..][..43];
    let database = stack.database().await;
    let (row, hash): (String, Vec<u8>) =
        sqlx::query_as("select k::text, k.secret_sha256 from api_keys k where public_id = $1")
            .bind(parsed.public_id())
            .fetch_one(&database)
            .await
            .expect("the row");
    assert_eq!(hash, parsed.secret_sha256());
    assert!(!row.contains(random_part));
    for table in ["audit_logs", "idempotency_keys", "outbox_events"] {
        let sql = format!("select count(*) from {table} t where t::text like '%' || $1 || '%'");
        let found: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(random_part)
            .fetch_one(&database)
            .await
            .expect("a count");
        assert_eq!(found, 0, "the secret is in {table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_02_unknown_id_and_wrong_secret_look_the_same() {
    use domain::api_key::ApiKey;
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let known = ApiKey::parse(&tenant.key).expect("a key");
    let wrong = ApiKey::from_parts(known.public_id(), &"x".repeat(43)).expect("parts");
    let unknown = ApiKey::from_parts("AAAAAAAAAAAA", &"x".repeat(43)).expect("parts");
    let mut mistyped = tenant.key.clone().into_bytes();
    let last = mistyped.last_mut().expect("a character");
    *last = if *last == b'0' { b'1' } else { b'0' };
    let mistyped = String::from_utf8(mistyped).expect("ASCII");
    let refused = me(stack, &wrong.reveal()).await;
    refused.problem(401, "invalid_credentials");
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    for other in [
        unknown.reveal(),
        mistyped,
        "berth_x".to_owned(),
        "eyJhbGciOi".to_owned(),
    ] {
        assert_eq!(shape(&me(stack, &other).await), shape(&refused), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_and_revoked_keys_open_nothing() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, secret) = issue(
        &tenant.api,
        json!({"name": "short", "lifetime_seconds": 60}),
    )
    .await;
    me(stack, &secret).await.expect(200);
    sqlx::query("update api_keys set expires_at = now() where name = 'short' and org_id = $1")
        .bind(
            tenant
                .org_id
                .parse::<domain::id::OrgId>()
                .expect("an id")
                .uuid(),
        )
        .execute(&stack.database().await)
        .await
        .expect("time flies");
    me(stack, &secret).await.problem(401, "credentials_expired");
    let (other_id, other) = issue(&tenant.api, json!({"name": "revoked"})).await;
    let revoke = format!("{API_KEYS}/{other_id}:revoke");
    let request = || tenant.api.request(Method::POST, &revoke);
    let revoked = tenant.api.send(request()).await.expect(200);
    assert!(revoked["revoked_at"].is_string());
    me(stack, &other).await.problem(401, "credentials_revoked");
    let again = tenant.api.send(request()).await.expect(200);
    assert_eq!(
        again["revoked_at"], revoked["revoked_at"],
        "once revoked, revoked then"
    );
    let rotate = format!("{API_KEYS}/{other_id}:rotate");
    tenant
        .api
        .post(&rotate, &json!({}))
        .await
        .problem(409, "conflict");
    assert_ne!(id, other_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_overlaps_and_ends_the_one_before() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, first) = issue(&tenant.api, json!({"name": "ci"})).await;
    let rotate = async |overlap: i64| {
        let path = format!("{API_KEYS}/{id}:rotate");
        let key = tenant
            .api
            .post(&path, &json!({"overlap_seconds": overlap}))
            .await
            .expect(200);
        assert_eq!(key["id"], *id);
        key["secret"].as_str().expect("a secret").to_owned()
    };
    let second = rotate(60).await;
    me(stack, &first).await.expect(200);
    me(stack, &second).await.expect(200);
    let third = rotate(60).await;
    me(stack, &first).await.problem(401, "invalid_credentials");
    me(stack, &second).await.expect(200);
    let fourth = rotate(0).await;
    me(stack, &third).await.problem(401, "invalid_credentials");
    me(stack, &fourth).await.expect(200);
    let path = format!("{API_KEYS}/{id}:rotate");
    for bad in [
        json!({"overlap_seconds": 604_801}),
        json!({"overlap_seconds": -1}),
        json!({"lifetime_seconds": 1}),
    ] {
        tenant
            .api
            .post(&path, &bad)
            .await
            .problem(422, "invalid_request");
    }
    me(stack, &fourth).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_see_their_own_keys_and_admins_see_all() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let member = tenant.colleague(stack, "member").await;
    let (owners, _) = issue(&tenant.api, json!({"name": "owner's"})).await;
    let (members, _) = issue(&member, json!({"name": "member's"})).await;
    let ids = async |api: &Api| -> Vec<String> {
        let page = api.get(API_KEYS).await.expect(200);
        let items = page["items"].as_array().expect("items").clone();
        items
            .iter()
            .map(|key| key["id"].as_str().expect("id").to_owned())
            .collect()
    };
    let seen = ids(&member).await;
    assert!(seen.contains(&members) && !seen.contains(&owners));
    member
        .get(&format!("{API_KEYS}/{owners}"))
        .await
        .problem(404, "not_found");
    let revoke = member.request(Method::POST, &format!("{API_KEYS}/{owners}:revoke"));
    member.send(revoke).await.problem(403, "forbidden");
    let seen = ids(&tenant.api).await;
    assert!(seen.contains(&members) && seen.contains(&owners));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_twenty_live_keys_at_most() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    // One is the key that the tenant calls with.
    for n in 0..19 {
        issue(&tenant.api, json!({"name": format!("k{n}")})).await;
    }
    tenant
        .api
        .post(API_KEYS, &json!({"name": "one more"}))
        .await
        .problem(409, "limit_reached");
}
