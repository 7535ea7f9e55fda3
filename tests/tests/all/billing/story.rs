//! From an allocation to its invoice, over HTTP: what a tenant and finance see.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::{Stack, Tenant, eventually, stack};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::world::{self, LIMIT};
use crate::sweep;

const CREDITS: &str = "/api/v1/admin/credits";
/// Of the sample SKU, in micros.
const PER_GPU_HOUR: i64 = 2_500_000;
const GIVEN: i64 = 50_000_000;

fn micros(money: &Value) -> i64 {
    money["amount_micros"].as_i64().expect("micros")
}

fn text(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).expect("a time")
}

async fn balance(tenant: &Tenant) -> Value {
    tenant.api.get("/api/v1/balance").await.expect(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_allocation_is_metered_billed_and_explained() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    give(stack, &tenant).await;
    let (allocation, start, end, used) = lease(stack, &tenant).await;
    let points = charted(&tenant, &start, &end).await;
    assert!((used / 1_000_000 - points).abs() <= 2, "{points} of {used}");

    let org: domain::id::OrgId = tenant.org_id.parse().expect("an id");
    let run = world::bill(stack, &start, &end, Some(org.uuid())).await;
    assert_eq!(run["invoices_issued"], 1, "{run}");
    watched(stack, &run).await;
    let paths = explained(&tenant, &allocation, used).await;

    // Another tenant sees none of it.
    let other = Tenant::new(stack).await;
    for path in &paths {
        other.api.get(path).await.problem(404, "not_found");
    }
    for path in ["/api/v1/invoices", "/api/v1/ledger-entries"] {
        let seen = other.api.get(path).await.expect(200);
        assert_eq!(seen["items"], json!([]), "{path}");
    }
    sweep::trigger(stack, "metering").await;
    sweep::record_one(stack, "MeteringWindow", "metering_window").await;
}

/// Money comes once, however often it is asked for.
async fn give(stack: &Stack, tenant: &Tenant) {
    let nothing = balance(tenant).await;
    let none = (
        micros(&nothing["available"]),
        micros(&nothing["burn_per_hour"]),
    );
    assert_eq!(none, (0, 0), "{nothing}");
    let gift = json!({"organization_id": tenant.org_id, "reason": "welcome",
                      "amount": {"amount_micros": GIVEN, "currency": "USD"}});
    let key = db::id::fresh::<uuid::Uuid>().to_string();
    let given = stack
        .admin()
        .post_as(&key, CREDITS, &gift)
        .await
        .expect(201);
    let again = stack
        .admin()
        .post_as(&key, CREDITS, &gift)
        .await
        .expect(201);
    assert_eq!(given["id"], again["id"], "given once");
}

/// Two GPUs for a while: the allocation, an hour that holds its use, and GPU microseconds.
async fn lease(stack: &Stack, tenant: &Tenant) -> (String, String, String, i64) {
    let plan = tenant.allocation_body(stack, 2);
    let plan = tenant
        .api
        .post("/api/v1/allocations:plan", &plan)
        .await
        .expect(200);
    assert_eq!(
        micros(&plan["price"]["per_hour"]),
        2 * PER_GPU_HOUR,
        "{plan}"
    );
    assert_eq!(
        micros(&plan["price"]["whole_lease"]),
        2 * PER_GPU_HOUR,
        "{plan}"
    );
    let made = tenant.create_allocation(stack, 2).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let now = balance(tenant).await;
    assert_eq!(micros(&now["burn_per_hour"]), 2 * PER_GPU_HOUR, "{now}");
    assert_eq!(micros(&now["ledger"]), GIVEN, "{now}");
    eventually("use costs something", LIMIT, || async {
        (micros(&balance(tenant).await["unbilled"]) > 0).then_some(())
    })
    .await;
    let id = made["resource"]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/allocations/{id}");
    tenant.api.delete(&path).await.expect(202);
    tenant.api.allocation_in(&id, &["released"], LIMIT).await;
    let usage = tenant.api.get(&format!("{path}/usage")).await.expect(200);
    let at = |member: &str| {
        let text = usage["items"][0][member].as_str().expect("a time");
        OffsetDateTime::parse(text, &Rfc3339).expect("a time")
    };
    let (start, end) = (at("started_at"), at("ended_at"));
    let used = i64::try_from((end - start).whole_microseconds()).expect("it fits");
    let full = end.replace_nanosecond(0).expect("a second") + Duration::from_secs(1);
    eventually("a full second has passed", LIMIT, || async {
        let now: OffsetDateTime = sqlx::query_scalar("select clock_timestamp()")
            .fetch_one(&stack.database().await)
            .await
            .expect("the time");
        (now > full).then_some(())
    })
    .await;
    (
        id,
        text(full - Duration::from_hours(1)),
        text(full),
        2 * used,
    )
}

/// GPU seconds of an hour's chart.
async fn charted(tenant: &Tenant, start: &str, end: &str) -> i64 {
    let path = format!("/api/v1/usage?start={start}&end={end}&bucket=hour");
    let chart = tenant.api.get(&path).await.expect(200);
    let points = chart["items"].as_array().expect("a list").iter();
    points
        .filter_map(|point| point["gpu_seconds"].as_i64())
        .sum()
}

/// What finance sees of a run while and after it is at work.
async fn watched(stack: &Stack, run: &Value) {
    let operation = run["operation_id"].as_str().expect("an id");
    let operation = format!("/api/v1/operations/{operation}");
    let operation = stack.admin().get(&operation).await.expect(200);
    let steps = operation["steps"].as_array().expect("steps");
    assert!(
        steps.iter().all(|step| step["state"] == "succeeded"),
        "{operation}"
    );
    assert!(
        steps[1]["detail"]
            .as_str()
            .is_some_and(|text| text.contains("1 invoices")),
        "{operation}"
    );
    let workflow = operation["workflow"]["id"].as_str().expect("an id");
    stack.record("billing_run", workflow).await;
}

/// The invoice, its one line, and the records that it counts: their addresses.
async fn explained(tenant: &Tenant, allocation: &str, used: i64) -> [String; 3] {
    let get = async |path: &str| tenant.api.get(path).await.expect(200);
    let invoice = get("/api/v1/invoices").await["items"][0].clone();
    assert_eq!(
        (&invoice["number"], &invoice["kind"]),
        (&json!(1), &json!("invoice"))
    );
    let path = format!(
        "/api/v1/invoices/{}",
        invoice["id"].as_str().expect("an id")
    );
    assert_eq!(get(&path).await, invoice);
    let lines = format!("{path}/lines");
    let line = get(&lines).await["items"][0].clone();
    assert_eq!(line["gpu_microseconds"], used, "{line}");
    let owed = domain::money::charge(used.into(), PER_GPU_HOUR).expect("it fits");
    assert_eq!(micros(&line["amount"]), owed, "{line}");
    let records = format!("{lines}/{}/records", line["id"].as_str().expect("an id"));
    let mut digest = Sha256::new();
    for record in get(&records).await["items"].as_array().expect("a list") {
        let id = record["record_id"].as_str().expect("an id");
        digest.update(id.parse::<uuid::Uuid>().expect("a UUID").as_bytes());
        assert_eq!(record["allocation_id"], allocation, "{record}");
    }
    let told = line["record_digest"].as_str().expect("digits");
    let told: Vec<u8> = (0..told.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&told[at..at + 2], 16).expect("digits"))
        .collect();
    assert_eq!(told, digest.finalize().to_vec());
    let (now, total) = (balance(tenant).await, micros(&invoice["total"]));
    assert_eq!(micros(&now["ledger"]), GIVEN - total, "{now}");
    assert_eq!(micros(&now["unbilled"]), 0, "{now}");
    let entries = get("/api/v1/ledger-entries?account=receivable").await;
    let entries = entries["items"].as_array().expect("a list").iter();
    let sum: i64 = entries.map(|entry| micros(&entry["amount"])).sum();
    assert_eq!(sum, GIVEN - total);
    [path, lines, records]
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_that_make_no_sense_move_nothing() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let body = |micros: Value, currency: &str, org: &str| {
        json!({"organization_id": org, "reason": "x",
               "amount": {"amount_micros": micros, "currency": currency}})
    };
    let org = tenant.org_id.as_str();
    for bad in [
        body(json!(0), "USD", org),
        body(json!(-5), "USD", org),
        body(json!(i64::MAX), "USD", org),
        body(json!(5), "XAU", org),
        body(json!(1.5), "USD", org),
        body(json!(5), "USD", "org_00000000000000000000000000000001"),
    ] {
        let answer = stack.admin().post(CREDITS, &bad).await;
        answer.problem(422, "invalid_request");
    }
    let sound = body(json!(5), "USD", org);
    tenant
        .api
        .post(CREDITS, &sound)
        .await
        .problem(403, "forbidden");
    stack.admin().post(CREDITS, &sound).await.expect(201);
    let euros = stack
        .admin()
        .post(CREDITS, &body(json!(5), "EUR", org))
        .await;
    euros.problem(422, "invalid_request");
    assert_eq!(micros(&balance(&tenant).await["ledger"]), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_reach_neither_back_nor_across_each_other() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (path, sku, admin) = (
        "/api/v1/admin/prices",
        world::sku(stack).await,
        stack.admin(),
    );
    let price = |micros: i64, from: &str| {
        json!({"sku": sku, "reason": "x", "effective_from": from,
               "per_gpu_hour": {"amount_micros": micros, "currency": "USD"}})
    };
    let ahead = "2030-01-01T00:00:00Z";
    tenant
        .api
        .post(path, &price(5, ahead))
        .await
        .problem(403, "forbidden");
    for bad in [
        price(-1, ahead),
        price(i64::MAX, ahead),
        price(5, "1999-01-01T00:00:00Z"),
        price(5, "2001-01-01T00:00:00.5Z"),
        price(5, "2999-01-01T00:00:00Z"),
        price(5, "tomorrow"),
    ] {
        admin.post(path, &bad).await.problem(422, "invalid_request");
    }
    let mut unknown = price(5, ahead);
    unknown["sku"] = json!("nothing-such");
    admin.post(path, &unknown).await.problem(422, "unknown_sku");
    admin
        .post(path, &price(7, "2001-01-01T00:00:00Z"))
        .await
        .expect(201);
    // Time that has passed has its price.
    let late = admin.post(path, &price(8, "2002-01-01T00:00:00Z")).await;
    late.problem(422, "invalid_request");
    let next = admin.post(path, &price(9, ahead)).await.expect(201);
    admin
        .post(path, &price(9, ahead))
        .await
        .problem(422, "invalid_request");
    // One that comes sooner ends where the next begins; withdrawn, the one before goes on.
    let sooner = admin
        .post(path, &price(8, "2029-01-01T00:00:00Z"))
        .await
        .expect(201);
    assert_eq!(sooner["effective_to"], ahead, "{sooner}");
    let gone = format!("{path}/{}", sooner["id"].as_str().expect("an id"));
    tenant.api.delete(&gone).await.problem(403, "forbidden");
    admin.delete(&gone).await.expect(204);
    admin.delete(&gone).await.problem(404, "not_found");
    let known = format!("/api/v1/prices?sku={sku}&at=2026-01-01T00:00:00Z");
    let known = tenant.api.get(&known).await.expect(200);
    assert_eq!(known["items"].as_array().map(Vec::len), Some(1), "{known}");
    assert_eq!(
        known["items"][0]["effective_to"], next["effective_from"],
        "{known}"
    );
    assert_eq!(micros(&known["items"][0]["per_gpu_hour"]), 7);
    let held = known["items"][0]["id"].as_str().expect("an id");
    let held = admin.delete(&format!("{path}/{held}")).await;
    held.problem(409, "conflict");
    // Time before the first price may still get one.
    let early = price(6, "2000-06-01T00:00:00Z");
    admin.post(path, &early).await.expect(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_of_use_has_bounds() {
    let tenant = Tenant::new(stack().await).await;
    for bad in [
        "start=2026-01-02T00:00:00Z&end=2026-01-01T00:00:00Z&bucket=day",
        "start=2020-01-01T00:00:00Z&end=2026-01-01T00:00:00Z&bucket=hour",
        "start=x&end=y&bucket=day",
        "start=9999-12-31T23:00:00-02:00&end=9999-12-31T23:30:00-02:00&bucket=hour",
        "start=2026-01-01T00:00:00Z&end=2026-01-02T00:00:00Z&bucket=week",
        "bucket=day",
    ] {
        let path = format!("/api/v1/usage?{bad}");
        tenant.api.get(&path).await.problem(400, "invalid_query");
    }
    for (path, status, code) in [
        ("/api/v1/ledger-entries?account=%00", 400, "invalid_query"),
        (
            "/api/v1/prices?at=9999-12-31T23:59:59-01:00",
            400,
            "invalid_query",
        ),
        ("/api/v1/prices?sku=%00", 422, "invalid_request"),
    ] {
        tenant.api.get(path).await.problem(status, code);
    }
}
