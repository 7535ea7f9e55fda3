//! The allocation side of the API: what is written with an answer, once, and what is shown.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Stack, Tenant, stack};

use crate::idle::{hasty, waiting};

const LIMIT: Duration = Duration::from_mins(2);

fn id(operation: &Value) -> String {
    operation["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// Fails at once, and has labels.
async fn brief(stack: &Stack, tenant: &Tenant) -> Value {
    let mut body = hasty(stack, tenant).await;
    body["labels"] = json!({"team": "ml", "tier": "spot"});
    body
}

async fn count(stack: &Stack, statement: &'static str, tenant: &Tenant) -> i64 {
    let org: domain::id::OrgId = tenant.org_id.parse().expect("an id");
    sqlx::query_scalar(statement)
        .bind(org.uuid())
        .fetch_one(&stack.database().await)
        .await
        .expect("the database counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_with_its_operation_and_all_its_rows_are_there() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let answer = tenant
        .api
        .post("/api/v1/allocations", &brief(stack, &tenant).await)
        .await;
    let operation = answer.expect(202);
    let url = format!(
        "/api/v1/operations/{}",
        operation["id"].as_str().expect("an id")
    );
    assert_eq!(answer.header("location"), url);
    assert_eq!(operation["kind"], "allocation.create");
    assert_eq!(operation["resource"]["kind"], "allocation");
    let steps: Vec<&str> = operation["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter_map(|step| step["name"].as_str())
        .collect();
    let announced = [
        "admit",
        "reserve",
        "preflight",
        "install_access",
        "accept",
        "activate",
    ];
    assert_eq!(steps, announced);
    let allocation = id(&operation);
    assert_eq!(
        operation["workflow"]["id"],
        format!("allocation/{allocation}")
    );
    let read = tenant.allocation(&allocation).await;
    assert_eq!(read["labels"], json!({"team": "ml", "tier": "spot"}));
    assert_eq!(read["ssh_key_ids"], json!([tenant.ssh_key_id]));
    for (statement, wanted) in [
        ("select count(*) from allocations where org_id = $1", 1),
        (
            "select count(*) from workflow_intents where org_id = $1 and kind = 'start'",
            1,
        ),
        (
            "select count(*) from idempotency_keys where org_id = $1 and resource_kind = 'operation'",
            1,
        ),
        (
            "select count(*) from audit_logs where org_id = $1 and action = 'allocation.create' and outcome = 'allowed'",
            1,
        ),
        (
            "select count(*) from outbox_events where org_id = $1 and type = 'berth.provisioning.allocation.requested'",
            1,
        ),
    ] {
        assert_eq!(
            count(stack, statement, &tenant).await,
            wanted,
            "{statement}"
        );
    }
    let path = format!("/api/v1/allocations/{allocation}/events");
    let events = tenant.api.get(&path).await.expect(200);
    assert_eq!(
        events["items"][0]["type"],
        "berth.provisioning.allocation.requested"
    );
    assert_eq!(events["items"][0]["seq"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_04_the_same_request_a_hundred_times_at_once_is_one_allocation() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = brief(stack, &tenant).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (api, body) = (tenant.api.clone(), body.clone());
        calls.spawn(async move { api.post_as("twins", "/api/v1/allocations", &body).await });
    }
    let answers = calls.join_all().await;
    let mut operations: Vec<String> = Vec::new();
    let mut fresh = 0;
    for answer in answers {
        if answer.status == 409 {
            answer.problem(409, "idempotency_in_progress");
            assert!(!answer.header("retry-after").is_empty());
            continue;
        }
        operations.push(answer.expect(202)["id"].as_str().expect("an id").to_owned());
        fresh += i32::from(answer.header("idempotency-replayed").is_empty());
    }
    assert_eq!(fresh, 1, "exactly one call did it");
    operations.dedup();
    assert_eq!(operations.len(), 1, "{operations:?}");
    for table in [
        "select count(*) from allocations where org_id = $1",
        "select count(*) from operations where org_id = $1 and kind = 'allocation.create'",
        "select count(*) from workflow_intents where org_id = $1 and kind = 'start'",
        "select count(distinct workflow_id) from workflow_intents where org_id = $1",
    ] {
        assert_eq!(count(stack, table, &tenant).await, 1, "{table}");
    }
    let late = tenant
        .api
        .post_as("twins", "/api/v1/allocations", &body)
        .await;
    assert_eq!(late.header("idempotency-replayed"), "true");
    assert_eq!(late.expect(202)["id"], json!(operations[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn idm_02_the_same_key_of_somebody_else_is_another_key() {
    let stack = stack().await;
    let (one, other) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let mut seen = Vec::new();
    for tenant in [&one, &other] {
        let answer = tenant
            .api
            .post_as("same", "/api/v1/allocations", &brief(stack, tenant).await)
            .await;
        assert_eq!(answer.header("idempotency-replayed"), "");
        seen.push(answer.expect(202)["id"].clone());
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_is_a_wish_that_finds_itself_again() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = waiting(stack, &tenant).await;
    let created = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    let path = format!("/api/v1/allocations/{}", id(&created));
    let (first, second) = tokio::join!(tenant.api.delete(&path), tenant.api.delete(&path));
    let (first, second) = if first.status == 202 {
        (first.expect(202), second)
    } else {
        (second.expect(202), first)
    };
    assert_eq!(first["kind"], "allocation.release");
    // The later of the two may come when all is over.
    assert!(second.status.is_success(), "{}", second.text);
    assert_eq!(
        second.json()["id"],
        first["id"],
        "one release, asked for twice"
    );
    let done = tenant.api.finished(&first, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let over = tenant.api.delete(&path).await.expect(200);
    assert_eq!(over["id"], first["id"], "what ended it is the answer");
    assert_eq!(tenant.allocation(&id(&created)).await["state"], "released");
    let extend = json!({"lease_seconds": 60});
    tenant
        .api
        .post(&format!("{path}:extend"), &extend)
        .await
        .problem(409, "conflict");
    tenant
        .api
        .post(&format!("{path}:retry-release"), &Value::Null)
        .await
        .problem(409, "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_creation_releases() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = waiting(stack, &tenant).await;
    let created = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    let cancel = format!(
        "/api/v1/operations/{}:cancel",
        created["id"].as_str().expect("an id")
    );
    let noted = tenant.api.post(&cancel, &Value::Null).await.expect(202);
    assert!(noted["cancel_requested_at"].is_string());
    let done = tenant.api.finished(&created, LIMIT).await;
    assert_eq!(done["state"], "cancelled", "{done}");
    tenant
        .api
        .post(&cancel, &Value::Null)
        .await
        .problem(409, "conflict");
    tenant
        .api
        .allocation_in(&id(&created), &["released"], LIMIT)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_and_labels_change_under_if_match() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let created = tenant
        .api
        .post("/api/v1/allocations", &brief(stack, &tenant).await)
        .await
        .expect(202);
    tenant.api.finished(&created, LIMIT).await;
    let path = format!("/api/v1/allocations/{}", id(&created));
    let read = tenant.api.get(&path).await;
    let tag = read.header("etag").to_owned();
    let request = tenant.api.request(reqwest::Method::PATCH, &path);
    let blind = tenant.api.send(request.json(&json!({"name": "x"}))).await;
    blind.problem(428, "precondition_required");
    let renamed = tenant
        .api
        .patch(&path, &tag, &json!({"name": "renamed"}))
        .await;
    assert_eq!(renamed.expect(200)["name"], "renamed");
    assert_ne!(renamed.header("etag"), tag);
    tenant
        .api
        .patch(&path, &tag, &json!({"name": "again"}))
        .await
        .problem(412, "precondition_failed");
    let tag = renamed.header("etag").to_owned();
    let relabelled = tenant
        .api
        .patch(&path, &tag, &json!({"labels": {"only": "this"}}))
        .await
        .expect(200);
    assert_eq!(relabelled["labels"], json!({"only": "this"}));
    assert_eq!(relabelled["name"], "renamed");
    for unsound in [
        json!({"state": "active"}),
        json!({"labels": {"a": "b,c"}}),
        json!({"name": ""}),
    ] {
        tenant
            .api
            .patch(&path, "*", &unsound)
            .await
            .problem(422, "invalid_request");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_narrowed_and_paged_without_gap_or_double() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let mut made = Vec::new();
    for n in 0..5 {
        let mut body = brief(stack, &tenant).await;
        body["labels"]["n"] = json!(n.to_string());
        let operation = tenant.api.post("/api/v1/allocations", &body).await;
        made.push(id(&operation.expect(202)));
    }
    made.reverse();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/allocations?limit=2{token}");
        let page = tenant.api.get(&path).await.expect(200);
        let items = page["items"].as_array().expect("items");
        assert!(items.len() <= 2);
        seen.extend(
            items
                .iter()
                .filter_map(|item| item["id"].as_str().map(ToOwned::to_owned)),
        );
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("&page_token={next}"),
            None => break,
        }
    }
    assert_eq!(seen, made, "newest first");
    let found = async |query: &str| {
        let path = format!("/api/v1/allocations?{query}");
        let page = tenant.api.get(&path).await.expect(200);
        page["items"].as_array().map_or(0, Vec::len)
    };
    assert_eq!(found("label=n=3").await, 1);
    assert_eq!(found("label=team=ml,tier").await, 5);
    assert_eq!(found("label=team=other").await, 0);
    assert_eq!(found("label=missing").await, 0);
    assert_eq!(found(&format!("project_id={}", tenant.project_id)).await, 5);
    assert_eq!(found("state=released").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_an_operation_ends_with_it() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let created = tenant
        .api
        .post("/api/v1/allocations", &brief(stack, &tenant).await)
        .await
        .expect(202);
    let path = format!(
        "/api/v1/operations/{}",
        created["id"].as_str().expect("an id")
    );
    tenant
        .api
        .get(&format!("{path}?wait_seconds=31"))
        .await
        .problem(400, "invalid_query");
    let done = tenant.api.finished(&created, LIMIT).await;
    assert_ne!(done["state"], "pending");
    assert!(
        done["workflow"]["run_id"].is_string(),
        "its workflow can be found: {done}"
    );
    let asked = std::time::Instant::now();
    tenant
        .api
        .get(&format!("{path}?wait_seconds=30"))
        .await
        .expect(200);
    assert!(
        asked.elapsed() < Duration::from_secs(10),
        "an ended operation is not waited for"
    );
    let list = format!("/api/v1/operations?resource_id={}", id(&created));
    let page = tenant.api.get(&list).await.expect(200);
    assert_eq!(page["items"][0]["id"], created["id"]);
}
