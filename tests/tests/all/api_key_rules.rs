//! AK-03, AK-04, AK-06: how long and what for a key is good, that its end is at once and
//! everywhere, and what its use leaves behind.

use std::collections::BTreeSet;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row;
use tests::{Api, Replica, Stack, Tenant, rough_stack, stack};

const API_KEYS: &str = "/api/v1/api-keys";
const DAY: i64 = 86_400;

async fn issue(stack: &Stack, by: &Api, body: Value) -> (String, Api) {
    let key = by.post(API_KEYS, &body).await.expect(201);
    let secret = key["secret"].as_str().expect("a secret");
    (
        key["id"].as_str().expect("an id").to_owned(),
        stack.api(Some(secret)),
    )
}

fn seconds(key: &Value, from: &str, to: &str) -> i64 {
    let at = |name: &str| {
        let text = key[name].as_str().expect(name);
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
            .expect("RFC 3339")
    };
    (at(to) - at(from)).whole_seconds()
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_03_a_key_ends_by_itself_and_policies_narrow_it() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let made = tenant.api.post(API_KEYS, &json!({"name": "a"})).await;
    let life = seconds(&made.expect(201), "created_at", "expires_at");
    assert!((90 * DAY - 5..=90 * DAY).contains(&life), "{life}");
    let longest = json!({"name": "b", "lifetime_seconds": 365 * DAY});
    let key = tenant.api.post(API_KEYS, &longest).await.expect(201);
    for bad in [365 * DAY + 1, 59, 0, -1] {
        let body = json!({"name": "c", "lifetime_seconds": bad});
        let problem = tenant
            .api
            .post(API_KEYS, &body)
            .await
            .problem(422, "invalid_request");
        assert_eq!(problem["errors"][0]["pointer"], "/lifetime_seconds");
    }
    let narrow = async |key: &str, value: i64| {
        let body = json!({"scope": tenant.org_id, "value": value});
        let path = format!("/api/v1/admin/policies/{key}");
        stack.admin().put(&path, &body).await.expect(200);
    };
    narrow("api_key.lifetime_max_seconds", 30 * DAY).await;
    narrow("api_key.overlap_max_seconds", 3_600).await;
    narrow("api_key.live_max", 3).await;
    tenant
        .api
        .post(API_KEYS, &longest)
        .await
        .problem(422, "invalid_request");
    let rotate = format!("{API_KEYS}/{}:rotate", key["id"].as_str().expect("an id"));
    let rotated = tenant.api.post(&rotate, &json!({})).await.expect(200);
    let life = seconds(&rotated, "updated_at", "expires_at");
    assert!(
        (30 * DAY - 5..=30 * DAY).contains(&life),
        "the default is not above the bound: {life}"
    );
    let overlap = seconds(&rotated, "updated_at", "previous_secret_expires_at");
    assert!((3_595..=3_600).contains(&overlap), "{overlap}");
    let long = json!({"overlap_seconds": 3_601});
    tenant
        .api
        .post(&rotate, &long)
        .await
        .problem(422, "invalid_request");
    // The tenant's own, a and b.
    tenant
        .api
        .post(API_KEYS, &json!({"name": "d"}))
        .await
        .problem(409, "limit_reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_03_twenty_keys_and_no_more_however_many_ask_at_once() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let answers = join_all((0..30).map(|n| {
        let (api, body) = (tenant.api.clone(), json!({"name": format!("k{n}")}));
        async move { api.post(API_KEYS, &body).await }
    }))
    .await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 19, "and the one that it calls with");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "limit_reached");
    }
    // One that had expired does not come back as the twenty-first.
    let old = answers.iter().find(|answer| answer.status == 201);
    let old = old.expect("one was made").json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let id: domain::id::ApiKeyId = old.parse().expect("an id");
    sqlx::query("update api_keys set expires_at = now() where id = $1")
        .bind(id.uuid())
        .execute(&stack.database().await)
        .await
        .expect("time flies");
    tenant
        .api
        .post(API_KEYS, &json!({"name": "next"}))
        .await
        .expect(201);
    let rotate = format!("{API_KEYS}/{old}:rotate");
    tenant
        .api
        .post(&rotate, &json!({}))
        .await
        .problem(409, "limit_reached");
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_03_a_key_does_what_its_scopes_say_and_its_person_may() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let project = async |api: &Api| {
        let name = format!("p-{}", db::id::fresh::<uuid::Uuid>().simple());
        api.post("/api/v1/projects", &json!({ "name": name })).await
    };
    let (_, reader) = issue(stack, &tenant.api, json!({"name": "r", "scopes": ["read"]})).await;
    reader.get("/api/v1/projects").await.expect(200);
    project(&reader).await.problem(403, "forbidden");
    let key = json!({"name": "wider", "scopes": ["read"]});
    reader.post(API_KEYS, &key).await.problem(403, "forbidden");
    let wide = json!({"name": "w", "scopes": ["read", "write"]});
    let (writer_id, writer) = issue(stack, &tenant.api, wide).await;
    let ssh = json!({"name": "k", "public_key": tests::shell::KeyPair::generate().await.public});
    writer.post("/api/v1/ssh-keys", &ssh).await.expect(201);
    project(&writer).await.problem(403, "forbidden");
    // A key hands on no more than it has itself, neither by a new key nor by a new secret.
    let more = json!({"name": "m", "scopes": ["admin"]});
    let problem = writer.post(API_KEYS, &more).await.problem(403, "forbidden");
    assert_eq!(problem["errors"][0]["pointer"], "/scopes");
    let (whole_id, whole) = issue(stack, &tenant.api, json!({"name": "all"})).await;
    project(&whole).await.expect(201);
    let rotate = |id: &str| format!("{API_KEYS}/{id}:rotate");
    writer
        .post(&rotate(&whole_id), &json!({}))
        .await
        .problem(403, "forbidden");
    let again = writer
        .post(&rotate(&writer_id), &json!({}))
        .await
        .expect(200);
    assert_eq!(again["scopes"], json!(["read", "write"]), "they stay");
    let inherited = writer
        .post(API_KEYS, &json!({"name": "i"}))
        .await
        .expect(201);
    assert_eq!(inherited["scopes"], json!(["read", "write"]));
    for bad in [json!([]), json!(["root"]), json!("read")] {
        let body = json!({"name": "x", "scopes": bad});
        tenant
            .api
            .post(API_KEYS, &body)
            .await
            .problem(422, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_03_rights_are_those_of_the_moment() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let member = tenant.colleague(stack, "member").await;
    let more = json!({"name": "m", "scopes": ["admin"]});
    member.post(API_KEYS, &more).await.problem(403, "forbidden");
    let admin = tenant.colleague(stack, "admin").await;
    let (id, key) = issue(stack, &admin, more).await;
    let project = async |name: &str| key.post("/api/v1/projects", &json!({ "name": name })).await;
    project("before").await.expect(201);
    // An admin may end the key of another, and not get its secret.
    let rotate = format!("{API_KEYS}/{id}:rotate");
    tenant
        .api
        .post(&rotate, &json!({}))
        .await
        .problem(403, "forbidden");
    let user = admin.get(&format!("{API_KEYS}/{id}")).await.expect(200)["user_id"].clone();
    let user: domain::id::UserId = user.as_str().expect("an id").parse().expect("an id");
    sqlx::query("update memberships set role = 'member' where user_id = $1")
        .bind(user.uuid())
        .execute(&stack.database().await)
        .await
        .expect("a demotion");
    project("after").await.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_04_a_revoked_key_is_refused_by_every_replica_with_and_without_the_bus() {
    let stack = rough_stack().await;
    let (second, third) = tokio::join!(Replica::start(&stack, &[]), Replica::start(&stack, &[]));
    let tenant = Tenant::new(&stack).await;
    for bus in [true, false] {
        if !bus {
            stack.control("stop", "nats").await;
        }
        let (id, key) = issue(&stack, &tenant.api, json!({"name": "k"})).await;
        let everywhere = [key.clone(), key.at(&second.base), key.at(&third.base)];
        for api in &everywhere {
            api.get("/api/v1/me").await.expect(200);
        }
        let revoke = tenant
            .api
            .request(Method::POST, &format!("{API_KEYS}/{id}:revoke"));
        tenant.api.send(revoke).await.expect(200);
        // At once: nobody remembers that the key was good.
        for api in &everywhere {
            api.get("/api/v1/me")
                .await
                .problem(401, "credentials_revoked");
        }
    }
    stack.control("start", "nats").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ak_06_a_thousand_calls_leave_one_note_a_minute() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, key) = issue(stack, &tenant.api, json!({"name": "busy"})).await;
    let row: domain::id::ApiKeyId = id.parse().expect("an id");
    let database = stack.database().await;
    let note = async || -> Option<(time::OffsetDateTime, String)> {
        let sql = "select last_used_at, host(last_used_ip) as ip from api_keys where id = $1";
        let row = sqlx::query(sql)
            .bind(row.uuid())
            .fetch_one(&database)
            .await
            .expect("the key");
        Some((row.get::<Option<_>, _>("last_used_at")?, row.get("ip")))
    };
    assert_eq!(note().await, None);
    let mut notes = BTreeSet::new();
    // Looked at after every few: a note stays until the next one, so none is missed.
    for _ in 0..250 {
        let calls = join_all((0..4).map(|_| key.get("/api/v1/me"))).await;
        assert!(calls.iter().all(|answer| answer.status == 200));
        notes.extend(note().await);
    }
    let seen = tests::eventually("a note", std::time::Duration::from_secs(10), &note).await;
    notes.insert(seen.clone());
    assert!(notes.len() <= 2, "{notes:?}");
    assert_eq!(seen.1, "127.0.0.1");
    let shown = tenant
        .api
        .get(&format!("{API_KEYS}/{id}"))
        .await
        .expect(200);
    assert_eq!(shown["last_used_ip"], "127.0.0.1");
    // A minute later the next call is noted again.
    sqlx::query("update api_keys set last_used_at = last_used_at - interval '61 s' where id = $1")
        .bind(row.uuid())
        .execute(&database)
        .await
        .expect("time flies");
    key.get("/api/v1/me").await.expect(200);
    tests::eventually(
        "another note",
        std::time::Duration::from_secs(10),
        || async { note().await.filter(|(at, _)| *at > seen.0) },
    )
    .await;
}
