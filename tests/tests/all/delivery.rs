//! From the outbox to the stream: each fact once, in its closed schema; what cannot be delivered
//! is set aside, shown, and delivered when its cause is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tests::{Replica, Stack, Tenant, eventually, rough_stack, stack};

use crate::idle;

const LIMIT: Duration = Duration::from_mins(1);

/// The bodies and headers on the stream whose `subject` is this resource, by sequence.
async fn on_the_stream(stack: &Stack, subject: &str) -> Vec<(String, Value)> {
    let client = async_nats::connect(stack.env("NATS_URL"))
        .await
        .expect("NATS answers");
    let stream = async_nats::jetstream::new(client)
        .get_stream(platform::nats::STREAM)
        .await
        .expect("the stream is there");
    let consumer = stream
        .create_consumer(async_nats::jetstream::consumer::pull::Config::default())
        .await
        .expect("a consumer");
    let mut batch = consumer
        .fetch()
        .max_messages(10_000)
        .expires(Duration::from_secs(2))
        .messages()
        .await
        .expect("messages");
    let mut found = BTreeMap::new();
    while let Some(Ok(message)) = batch.next().await {
        let event: Value = serde_json::from_slice(&message.payload).expect("JSON");
        if event["subject"] != subject {
            continue;
        }
        let id = message
            .headers
            .as_ref()
            .and_then(|h| h.get("Nats-Msg-Id"))
            .expect("an id");
        let sequence: u64 = event["sequence"]
            .as_str()
            .and_then(|s| s.parse().ok())
            .expect("a number");
        let twin = found.insert(sequence, (id.to_string(), event));
        assert!(twin.is_none(), "{sequence} of {subject} twice");
    }
    found.into_values().collect()
}

/// Waits for the dead letter about this, which nobody has replayed.
async fn open_letter(stack: &Stack, subject: &str) -> Value {
    eventually("the dead letter", LIMIT, || async {
        let list = stack
            .admin()
            .get("/api/v1/admin/dead-letters?limit=200")
            .await
            .expect(200);
        let letters = list["items"].as_array()?.clone();
        letters
            .into_iter()
            .find(|l| l["subject"] == subject && l["replayed_at"].is_null())
    })
    .await
}

async fn replay(stack: &Stack, letter: &Value) {
    let path = format!(
        "/api/v1/admin/dead-letters/{}:replay",
        letter["id"].as_str().expect("an id")
    );
    let answer = stack.admin().post(&path, &json!({})).await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn ob_01_each_event_is_on_the_stream_once_and_follows_its_schema() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = idle::hasty(stack, &tenant).await;
    let operation = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    tenant.api.finished(&operation, LIMIT).await;
    let id = operation["resource"]["id"].as_str().expect("an id");
    let events = eventually("three events on the stream", LIMIT, || async {
        let events = on_the_stream(stack, id).await;
        (events.len() >= 3).then_some(events)
    })
    .await;
    let kinds: Vec<_> = events
        .iter()
        .map(|(_, e)| e["type"].as_str().unwrap_or_default())
        .collect();
    let wanted =
        ["requested", "queued", "failed"].map(|s| format!("berth.provisioning.allocation.{s}"));
    assert_eq!(kinds, wanted);
    for (number, (message, event)) in events.iter().enumerate() {
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["sequence"], (number + 1).to_string());
        assert_eq!(&event["id"], message);
        assert_eq!(event["orgid"], tenant.org_id);
        let file = format!(
            "doc/events/{}.json",
            event["type"].as_str().unwrap_or_default()
        );
        let schema = std::fs::read(tests::stack::workspace().join(&file)).expect("a schema");
        let schema: Value = serde_json::from_slice(&schema).expect("a schema");
        assert!(jsonschema::is_valid(&schema, &event["data"]), "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ob_01_a_fact_outside_its_schema_never_goes_out_until_it_is_mended() {
    let stack = stack().await;
    let database = stack.database().await;
    let event: domain::id::EventId = db::id::fresh();
    let about = uuid::Uuid::from_u128(rand::random());
    sqlx::query(
        "insert into outbox_events (id, created_at, type, aggregate_kind, aggregate_id, seq, data, attempts)
         values ($1, uuid_v7_at($1), 'berth.fleet.node.available', 'node', $2, 1, $3, 9)",
    )
    .bind(event.uuid())
    .bind(about)
    .bind(json!({"surprise": "a field that no schema knows"}))
    .execute(&database)
    .await
    .expect("a spoiled event");
    let letter = open_letter(stack, "berth.fleet.node.available").await;
    assert!(
        !letter.to_string().contains("surprise"),
        "a dead letter quotes its event: {letter}"
    );

    let node = domain::id::NodeId::from_uuid(about);
    sqlx::query("update outbox_events set data = $2 where id = $1")
        .bind(event.uuid())
        .bind(json!({"node_id": node}))
        .execute(&database)
        .await
        .expect("mended");
    replay(stack, &letter).await;
    eventually("the mended event is published", LIMIT, || async {
        let published = sqlx::query_scalar::<_, bool>(
            "select published_at is not null from outbox_events where id = $1",
        );
        published
            .bind(event.uuid())
            .fetch_one(&database)
            .await
            .ok()?
            .then_some(())
    })
    .await;
}

/// Writes an intent as the API would, already refused `attempts` times.
pub(crate) async fn plant_intent(
    stack: &Stack,
    (kind, workflow_type): (&str, &str),
    workflow_id: &str,
    operation: Option<uuid::Uuid>,
    attempts: i32,
) -> uuid::Uuid {
    let intent: domain::id::IntentId = db::id::fresh();
    let resource = workflow_id
        .rsplit('_')
        .next()
        .and_then(|id| id.parse::<uuid::Uuid>().ok())
        .unwrap_or_default();
    sqlx::query(
        "insert into workflow_intents
           (id, created_at, kind, workflow_type, workflow_id, resource_id, operation_id, attempts)
         values ($1, uuid_v7_at($1), $2, $3, $4, $5, $6, $7)",
    )
    .bind(intent.uuid())
    .bind(kind)
    .bind(workflow_type)
    .bind(workflow_id)
    .bind(resource)
    .bind(operation)
    .bind(attempts)
    .execute(&stack.database().await)
    .await
    .expect("an intent");
    intent.uuid()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_intent_is_set_aside_and_replayed_once_it_is_mended() {
    let stack = stack().await;
    let subject = format!("nonsense/{}", uuid::Uuid::from_u128(rand::random()));
    let intent = plant_intent(stack, ("start", "Nonsense"), &subject, None, 9).await;
    // What comes after it is not held up.
    let tenant = Tenant::new(stack).await;
    let body = idle::hasty(stack, &tenant).await;
    let operation = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    tenant.api.finished(&operation, LIMIT).await;
    let allocation = operation["resource"]["id"].as_str().expect("an id");

    let letter = open_letter(stack, &subject).await;
    assert_eq!(letter["source"], "intent", "{letter}");
    let database = stack.database().await;
    sqlx::query(
        "update workflow_intents set workflow_type = 'Allocation', workflow_id = $2 where id = $1",
    )
    .bind(intent)
    .bind(format!("allocation/{allocation}"))
    .execute(&database)
    .await
    .expect("mended");
    replay(stack, &letter).await;
    eventually("the mended intent is delivered", LIMIT, || async {
        let delivered = sqlx::query_scalar::<_, bool>(
            "select delivered_at is not null from workflow_intents where id = $1",
        );
        delivered
            .bind(intent)
            .fetch_one(&database)
            .await
            .ok()?
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_workflow_that_has_ended_is_told_so() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = idle::hasty(stack, &tenant).await;
    let created = tenant
        .api
        .post("/api/v1/allocations", &body)
        .await
        .expect(202);
    tenant.api.finished(&created, LIMIT).await;
    let allocation = created["resource"]["id"].as_str().expect("an id");
    let workflow = format!("allocation/{allocation}");
    let operation: domain::id::OperationId = db::id::fresh();
    sqlx::query(
        "insert into operations (id, org_id, kind, resource_kind, resource_id, workflow_id, deadline_at)
         select $1, org_id, 'allocation.extend', resource_kind, resource_id, workflow_id, now() + interval '1 hour'
         from operations where workflow_id = $2 limit 1",
    )
    .bind(operation.uuid())
    .bind(&workflow)
    .execute(&stack.database().await)
    .await
    .expect("an order that came too late");
    plant_intent(
        stack,
        ("wake", "Allocation"),
        &workflow,
        Some(operation.uuid()),
        0,
    )
    .await;
    let ended = tenant
        .api
        .finished(&json!({"id": operation.to_string()}), LIMIT)
        .await;
    assert_eq!(ended["state"], "failed", "{ended}");
    assert_eq!(ended["error"]["code"], "workflow_closed", "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_relays_one_leads_and_the_other_takes_over() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    let second = Replica::relay(&stack).await;
    let one_story = async || {
        let body = idle::hasty(&stack, &tenant).await;
        let operation = tenant
            .api
            .post("/api/v1/allocations", &body)
            .await
            .expect(202);
        tenant.api.finished(&operation, LIMIT).await;
        let id = operation["resource"]["id"].as_str().expect("an id");
        eventually("all three events, each once", LIMIT, || async {
            (on_the_stream(&stack, id).await.len() == 3).then_some(())
        })
        .await;
    };
    one_story().await;
    stack.control("stop", "relay").await;
    one_story().await;
    stack.control("start", "relay").await;
    second.kill().await;
    one_story().await;
}
