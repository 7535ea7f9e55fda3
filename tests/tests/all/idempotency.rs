//! IDM-01 to IDM-05: one key, one change, whatever happens to the answers.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Api, Replica, Stack, Tenant, stack};

const PROJECTS: &str = "/api/v1/projects";

fn fresh(prefix: &str) -> String {
    format!("{prefix}-{}", db::id::fresh::<uuid::Uuid>().simple())
}

fn id(body: &Value) -> String {
    body["id"].as_str().expect("an id").to_owned()
}

/// How many projects of a name there are, deleted ones too.
async fn count(stack: &Stack, name: &str) -> i64 {
    sqlx::query_scalar("select count(*) from projects where name = $1")
        .bind(name)
        .fetch_one(&stack.database().await)
        .await
        .expect("a count")
}

async fn create(api: &Api, key: Option<&str>, name: &str) -> tests::Answer {
    let request = api
        .request(Method::POST, PROJECTS)
        .json(&json!({ "name": name }));
    let request = match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    };
    api.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_01_a_key_is_required_and_has_a_form() {
    let stack = stack().await;
    let (api, name) = (Tenant::new(stack).await.api, fresh("p"));
    create(&api, None, &name)
        .await
        .problem(400, "idempotency_key_required");
    let long = "k".repeat(256);
    for bad in ["", "\"\"", "two words", "\"open", &long] {
        create(&api, Some(bad), &name)
            .await
            .problem(400, "idempotency_key_invalid");
    }
    assert_eq!(count(stack, &name).await, 0);
    let key = fresh("k");
    let first = create(&api, Some(&key), &name).await;
    let quoted = create(&api, Some(&format!("\"{key}\"")), &name).await;
    assert_eq!(
        id(&first.expect(201)),
        id(&quoted.expect(201)),
        "quoted or bare, it is one key"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_02_a_key_belongs_to_caller_and_route() {
    let stack = stack().await;
    let (one, other) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let colleague = one.colleague(stack, "admin").await;
    let (key, name) = (fresh("k"), fresh("p"));
    let first = id(&create(&one.api, Some(&key), &name).await.expect(201));
    let strangers = create(&other.api, Some(&key), &name).await;
    assert_ne!(
        id(&strangers.expect(201)),
        first,
        "another organization's key is another key"
    );
    assert_eq!(strangers.header("idempotency-replayed"), "");
    // Within one organization the name tells that the colleague's call was really made.
    create(&colleague, Some(&key), &name)
        .await
        .problem(409, "name_taken");
    let on_another_route = one
        .api
        .post_as(&key, "/api/v1/api-keys", &json!({ "name": name }))
        .await;
    on_another_route.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_03_same_request_is_replayed_another_is_refused() {
    let stack = stack().await;
    let (api, key, name) = (Tenant::new(stack).await.api, fresh("k"), fresh("p"));
    let send = async |text: String| {
        let request = api
            .request(Method::POST, PROJECTS)
            .header("idempotency-key", &key);
        api.send(
            request
                .header("content-type", "application/json")
                .body(text),
        )
        .await
    };
    let first = send(format!(r#"{{"name": "{name}", "description": "x"}}"#)).await;
    let again = send(format!(r#"{{ "description":"x",  "name":"{name}" }}"#)).await;
    assert_eq!(first.expect(201), again.expect(201));
    assert_eq!(first.header("idempotency-replayed"), "");
    assert_eq!(again.header("idempotency-replayed"), "true");
    for header in ["location", "etag", "content-type"] {
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    let other = send(format!(r#"{{"name": "{name}", "description": "y"}}"#)).await;
    other.problem(422, "idempotency_key_reused");
    assert_eq!(count(stack, &name).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_shows_the_resource_as_it_is_now() {
    let stack = stack().await;
    let (api, key, name) = (Tenant::new(stack).await.api, fresh("k"), fresh("p"));
    let project = create(&api, Some(&key), &name).await.expect(201);
    let path = format!("{PROJECTS}/{}", id(&project));
    let change = json!({"description": "changed since"});
    api.patch(&path, "\"v1\"", &change).await.expect(200);
    let again = create(&api, Some(&key), &name).await;
    assert_eq!(again.expect(201)["description"], "changed since");
    assert_eq!(again.header("etag"), "\"v2\"");
    api.delete(&path).await.expect(204);
    create(&api, Some(&key), &name).await.problem(410, "gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_04_a_hundred_twins_make_one_change() {
    let stack = stack().await;
    let (api, key, name) = (Tenant::new(stack).await.api, fresh("k"), fresh("p"));
    let answers = join_all((0..100).map(|_| create(&api, Some(&key), &name))).await;
    let mut ids = std::collections::BTreeSet::new();
    let mut first_hand = 0;
    for answer in &answers {
        if answer.status == 409 {
            answer.problem(409, "idempotency_in_progress");
            assert_eq!(answer.header("retry-after"), "1");
            continue;
        }
        ids.insert(id(&answer.expect(201)));
        first_hand += usize::from(answer.header("idempotency-replayed").is_empty());
    }
    assert_eq!(
        (ids.len(), first_hand),
        (1, 1),
        "one project, made by one of the calls"
    );
    assert_eq!(count(stack, &name).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_04_twins_on_three_replicas_make_one_change() {
    let stack = stack().await;
    let (api, key, name) = (Tenant::new(stack).await.api, fresh("k"), fresh("p"));
    let others = [
        Replica::start(stack, &[]).await,
        Replica::start(stack, &[]).await,
    ];
    let doors = [
        api.clone(),
        api.at(&others[0].base),
        api.at(&others[1].base),
    ];
    let calls = (0..150).map(|number| create(&doors[number % 3], Some(&key), &name));
    let mut ids = std::collections::BTreeSet::new();
    let mut first_hand = 0;
    for answer in join_all(calls).await {
        if answer.status == 409 {
            answer.problem(409, "idempotency_in_progress");
            continue;
        }
        ids.insert(id(&answer.expect(201)));
        first_hand += usize::from(answer.header("idempotency-replayed").is_empty());
    }
    assert_eq!((ids.len(), first_hand), (1, 1));
    assert_eq!(count(stack, &name).await, 1);
}

/// The process dies somewhere between the request and the answer, each time at another instant.
#[tokio::test(flavor = "multi_thread")]
async fn idm_05_a_killed_api_leaves_one_change_or_none() {
    let stack = stack().await;
    let api = Tenant::new(stack).await.api;
    for round in 0..6_u64 {
        let (key, name) = (fresh("k"), fresh("p"));
        let replica = Replica::start(stack, &[]).await;
        let doomed = api.at(&replica.base);
        let call = async {
            let request = doomed
                .request(Method::POST, PROJECTS)
                .header("idempotency-key", &key)
                .json(&json!({ "name": name }));
            doomed.try_send(request).await.ok()
        };
        let kill = async {
            tokio::time::sleep(Duration::from_millis(3 * round)).await;
            replica.kill().await;
        };
        let (answer, ()) = tokio::join!(call, kill);
        let retried = create(&api, Some(&key), &name).await;
        let project = id(&retried.expect(201));
        assert_eq!(count(stack, &name).await, 1, "round {round}");
        if let Some(answer) = answer {
            assert_eq!(id(&answer.expect(201)), project, "round {round}");
            assert_eq!(retried.header("idempotency-replayed"), "true");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_04_a_twin_waits_two_seconds_and_no_longer() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (key, name) = (fresh("k"), fresh("p"));
    // The first call, at work for as long as this transaction is open.
    let mut at_work = stack.database().await.begin().await.expect("a transaction");
    let scope = db::idempotency::Scope {
        org_id: tenant.org_id.parse().expect("an id"),
        principal: tenant.user_id.clone(),
        method: "POST".to_owned(),
        route: PROJECTS.to_owned(),
        key: key.clone(),
    };
    assert!(
        db::idempotency::try_lock(&mut at_work, &scope)
            .await
            .expect("the database answers")
    );
    let started = Instant::now();
    let answer = create(&tenant.api, Some(&key), &name).await;
    let waited = started.elapsed();
    answer.problem(409, "idempotency_in_progress");
    assert_eq!(answer.header("retry-after"), "1");
    assert!(waited >= Duration::from_secs(2), "it waits: {waited:?}");
    assert!(waited < Duration::from_secs(5), "not for long: {waited:?}");
    assert_eq!(count(stack, &name).await, 0);
    // A twin that waits while the first one ends goes on.
    let waiting = create(&tenant.api, Some(&key), &name);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        at_work.rollback().await.expect("the lock is given back");
    };
    let (answer, ()) = tokio::join!(waiting, ending);
    answer.expect(201);
}

/// The caller never learns how far the call came: each try is cut off at another instant.
#[tokio::test(flavor = "multi_thread")]
async fn idm_05_a_lost_answer_is_had_again_and_nothing_is_done_twice() {
    let stack = stack().await;
    let api = Tenant::new(stack).await.api;
    for round in 0..40_u64 {
        let (key, name) = (fresh("k"), fresh("p"));
        let call = create(&api, Some(&key), &name);
        let cut = tokio::time::timeout(Duration::from_micros(500 * round), call).await;
        let lost = cut.is_err();
        let retried = create(&api, Some(&key), &name).await;
        let project = id(&retried.expect(201));
        assert_eq!(
            count(stack, &name).await,
            1,
            "round {round}, answer lost: {lost}"
        );
        let shown = api.get(&format!("{PROJECTS}/{project}")).await.expect(200);
        assert_eq!(shown["name"], name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_falls_with_its_change() {
    let stack = stack().await;
    let (api, key, name) = (Tenant::new(stack).await.api, fresh("k"), fresh("p"));
    create(&api, Some(&fresh("k")), &name).await.expect(201);
    create(&api, Some(&key), &name)
        .await
        .problem(409, "name_taken");
    let records: i64 = sqlx::query_scalar("select count(*) from idempotency_keys where key = $1")
        .bind(&key)
        .fetch_one(&stack.database().await)
        .await
        .expect("a count");
    assert_eq!(
        records, 0,
        "a failure leaves no record: the key is free for a corrected request"
    );
    create(&api, Some(&key), &fresh("p")).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_free_again_when_its_time_is_over() {
    let stack = stack().await;
    let (api, key) = (Tenant::new(stack).await.api, fresh("k"));
    let first = id(&create(&api, Some(&key), &fresh("p")).await.expect(201));
    sqlx::query("update idempotency_keys set expires_at = now() where key = $1")
        .bind(&key)
        .execute(&stack.database().await)
        .await
        .expect("time flies");
    let second = create(&api, Some(&key), &fresh("p")).await;
    assert_ne!(id(&second.expect(201)), first);
    assert_eq!(second.header("idempotency-replayed"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_stored() {
    let stack = stack().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "select column_name::text from information_schema.columns
         where table_schema = 'public' and table_name = 'idempotency_keys' order by 1",
    )
    .fetch_all(&stack.database().await)
    .await
    .expect("columns");
    let known = [
        "created_at",
        "expires_at",
        "fingerprint",
        "key",
        "method",
        "org_id",
        "principal",
        "resource_id",
        "resource_kind",
        "route",
        "status",
    ];
    assert_eq!(columns, known);
}
