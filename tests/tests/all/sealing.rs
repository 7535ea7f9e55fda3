//! Sealed values in the database: who can read them, and what happens to those that were moved,
//! changed or written by hand.

use serde_json::{Value, json};
use sqlx::PgPool;
use tests::{Stack, Tenant, stack};
use uuid::Uuid;

use crate::idle::hasty;

const MARK: &str = "canary-5c1d";

/// An allocation that told its scheduler a secret; its id.
async fn told(stack: &Stack, tenant: &Tenant) -> String {
    let mut body = hasty(stack, tenant).await;
    body["scheduler_request"] = json!({"partition": MARK, "nice": 10});
    let answer = tenant.api.post("/api/v1/allocations", &body).await;
    let operation = answer.expect(202);
    operation["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned()
}

fn uuid(id: &str) -> Uuid {
    let id: domain::id::AllocationId = id.parse().expect("an allocation's id");
    id.uuid()
}

async fn metadata(database: &PgPool, id: &str) -> Value {
    sqlx::query_scalar("select scheduler_metadata from allocations where id = $1")
        .bind(uuid(id))
        .fetch_one(database)
        .await
        .expect("the row is there")
}

async fn write(database: &PgPool, id: &str, value: &Value) -> Result<(), String> {
    sqlx::query("update allocations set scheduler_metadata = $2 where id = $1")
        .bind(uuid(id))
        .bind(value)
        .execute(database)
        .await
        .map(drop)
        .map_err(|error| {
            let error = error.into_database_error().expect("the database refuses");
            error.constraint().unwrap_or_default().to_owned()
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_request_is_read_by_its_tenant_and_by_nobody_else() {
    let stack = stack().await;
    let (tenant, other) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let id = told(stack, &tenant).await;
    let read = tenant.allocation(&id).await;
    assert_eq!(
        read["scheduler_request"],
        json!({"partition": MARK, "nice": 10})
    );
    let list = tenant.api.get("/api/v1/allocations").await.expect(200);
    assert_eq!(list["items"][0]["id"], id);
    assert_eq!(list["items"][0]["scheduler_request"], Value::Null);
    let path = format!("/api/v1/allocations/{id}");
    other.api.get(&path).await.problem(404, "not_found");
    // An allocation without one says nothing of it.
    let plain = tenant
        .api
        .post("/api/v1/allocations", &hasty(stack, &tenant).await)
        .await
        .expect(202);
    let plain = tenant
        .allocation(plain["resource"]["id"].as_str().expect("an id"))
        .await;
    assert_eq!(plain.get("scheduler_request"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_request_is_nowhere_in_clear() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let id = told(stack, &tenant).await;
    let database = stack.database().await;
    let kept = metadata(&database, &id).await;
    let envelope = &kept["scheduler_request_enc"];
    assert_eq!(envelope["alg"], "A256GCMSIV-HKDF-CMT");
    assert_eq!(kept.as_object().map(serde_json::Map::len), Some(1));
    let org: domain::id::OrgId = tenant.org_id.parse().expect("an id");
    let seen: i64 = sqlx::query_scalar(
        "select count(*) from (
           select a::text as row from allocations a where org_id = $1
           union all select o::text from operations o where org_id = $1
           union all select e::text from outbox_events e where org_id = $1
           union all select i::text from workflow_intents i where org_id = $1
           union all select k::text from idempotency_keys k where org_id = $1
           union all select l::text from audit_logs l where org_id = $1) rows
         where row like '%' || $2 || '%'",
    )
    .bind(org.uuid())
    .bind(MARK)
    .fetch_one(&database)
    .await
    .expect("the database looks");
    assert_eq!(seen, 0);
}

/// A whole envelope copied to another row of the same organization, and to another organization's.
#[tokio::test(flavor = "multi_thread")]
async fn env_03_a_moved_envelope_does_not_open() {
    let stack = stack().await;
    let (tenant, other) = (Tenant::new(stack).await, Tenant::new(stack).await);
    let database = stack.database().await;
    let (first, second) = (told(stack, &tenant).await, told(stack, &tenant).await);
    let foreign = told(stack, &other).await;
    let envelope = metadata(&database, &first).await;
    let before = refusals(stack, "aad").await;
    for (api, id) in [(&tenant.api, &second), (&other.api, &foreign)] {
        write(&database, id, &envelope)
            .await
            .expect("its form is right");
        let path = format!("/api/v1/allocations/{id}");
        let problem = api.get(&path).await.problem(500, "sealed_value_unreadable");
        assert_eq!(problem["retry"], "never");
    }
    assert!(refusals(stack, "aad").await >= before + 2);
    let read = tenant.allocation(&first).await;
    assert_eq!(read["scheduler_request"]["partition"], MARK);
}

async fn refusals(stack: &Stack, reason: &str) -> u64 {
    let metrics = stack.api(None).get("/metrics").await.text;
    let name = format!("enc_decrypt_fail_total{{reason=\"{reason}\"}} ");
    metrics
        .lines()
        .find_map(|line| line.strip_prefix(&name))
        .map_or(0, |count| count.parse().expect("a count"))
}

/// Every member changed a little, as somebody with the database in his hands would.
#[tokio::test(flavor = "multi_thread")]
async fn env_04_a_changed_envelope_does_not_open() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let database = stack.database().await;
    let id = told(stack, &tenant).await;
    let whole = metadata(&database, &id).await;
    let path = format!("/api/v1/allocations/{id}");
    for member in ["mid", "edk", "n", "cmt", "ct", "kid", "kv", "kp"] {
        let mut changed = whole.clone();
        let value = &mut changed["scheduler_request_enc"][member];
        *value = match (member, &*value) {
            ("kid", _) => json!("payload"),
            ("kv", _) => json!(7),
            ("kp", _) => json!("transit"),
            (_, Value::String(text)) => {
                let first = if text.starts_with('A') { "B" } else { "A" };
                json!(format!("{first}{}", &text[1..]))
            }
            _ => unreachable!("the other members are texts"),
        };
        write(&database, &id, &changed)
            .await
            .expect("its form is right");
        tenant
            .api
            .get(&path)
            .await
            .problem(500, "sealed_value_unreadable");
    }
    write(&database, &id, &whole).await.expect("as it was");
    tenant.api.get(&path).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn env_07_postgres_refuses_what_is_no_envelope() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let database = stack.database().await;
    let id = told(stack, &tenant).await;
    let whole = metadata(&database, &id).await["scheduler_request_enc"].clone();
    let with = |member: &str, value: Value| {
        let mut envelope = whole.clone();
        envelope[member] = value;
        json!({"scheduler_request_enc": envelope})
    };
    let mut missing = whole.clone();
    missing.as_object_mut().expect("an object").remove("cmt");
    let padded = format!("{}==", whole["mid"].as_str().expect("a text"));
    let bad = [
        json!({"scheduler_request": {"partition": MARK}}),
        json!({"scheduler_request_enc": {"partition": MARK}}),
        json!({"scheduler_request_enc": MARK}),
        json!({"scheduler_request_enc": null}),
        json!({"scheduler_request_enc": [whole.clone()]}),
        json!({"scheduler_request_enc": missing}),
        with("v", json!(2)),
        with("v", json!("1")),
        with("alg", json!("A256GCM")),
        with("kp", json!("none")),
        with("kid", json!("../../etc")),
        with("kv", json!(0)),
        with("kv", json!("1")),
        with("mid", json!(padded)),
        with("mid", json!("AAAA")),
        with("n", json!("AAAA")),
        with("edk", json!("")),
        with("ct", json!(MARK)),
        with("more", json!(1)),
    ];
    for value in bad {
        let refused = write(&database, &id, &value).await;
        let wanted = "allocations_scheduler_metadata_sealed";
        assert_eq!(refused.expect_err("it was written"), wanted, "{value}");
    }
    let refused = write(&database, &id, &json!("text")).await;
    assert!(refused.is_err());
    let text: Result<Value, _> = sqlx::query_scalar("select $1::jsonb::envelope::jsonb")
        .bind(json!({"secret": MARK}))
        .fetch_one(&database)
        .await;
    let refused = text.expect_err("the type takes it").into_database_error();
    assert_eq!(
        refused.expect("by the type").constraint(),
        Some("envelope_form")
    );
    let good: bool = sqlx::query_scalar("select is_envelope($1)")
        .bind(&whole)
        .fetch_one(&database)
        .await
        .expect("an answer");
    assert!(good);
}

/// What the schema calls sealed, the code knows, and the other way round.
#[tokio::test(flavor = "multi_thread")]
async fn env_07_every_sealed_column_is_guarded_and_known() {
    let database = stack().await.database().await;
    let columns: Vec<(String, String, Option<String>)> = sqlx::query_as(
        "select table_name::text, column_name::text, domain_name::text
         from information_schema.columns
         where table_schema = 'public' and (column_name like '%\\_enc' or domain_name = 'envelope')",
    )
    .fetch_all(&database)
    .await
    .expect("the catalog");
    let known = domain::envelope::column::ALL;
    for (table, column, domain) in &columns {
        assert_eq!(domain.as_deref(), Some("envelope"), "{table}.{column}");
        assert!(
            known.contains(&(table, column)),
            "{table}.{column} has no EncCtx"
        );
    }
    for (table, column) in known {
        let Some((json, member)) = column.split_once('.') else {
            let there = columns.iter().any(|(t, c, _)| t == table && c == column);
            assert!(there, "{table}.{column} is not in the schema");
            continue;
        };
        // A member of a JSON column: a constraint of its table judges it.
        let checks: Vec<String> = sqlx::query_scalar(
            "select pg_get_constraintdef(oid) from pg_constraint
             where contype = 'c' and conrelid = $1::regclass",
        )
        .bind(table)
        .fetch_all(&database)
        .await
        .expect("the catalog");
        let guard = format!("is_envelope(({json} -> '{member}'::text))");
        assert!(
            checks.iter().any(|check| check.contains(&guard)),
            "{guard}: {checks:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduler_request_that_is_too_long_is_refused() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let mut body = hasty(stack, &tenant).await;
    body["scheduler_request"] = json!({"script": "x".repeat(65_536)});
    let answer = tenant.api.post("/api/v1/allocations", &body).await;
    let problem = answer.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/scheduler_request");
    let ready = stack.api(None).get("/readyz").await.expect(200);
    assert_eq!(ready["dependencies"]["kms"], "ok");
}
