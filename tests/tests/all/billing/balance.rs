//! A prepaid balance from its first money to zero, and what is let in on it.

use std::time::Duration;

use domain::id::OrgId;
use serde_json::{Value, json};
use tests::{Stack, Tenant, eventually, rough_stack, stack};
use uuid::Uuid;

use super::prepaid::{self, left, now, open, told};
use super::world::{self, LIMIT};
use crate::sweep;

const ACCOUNTS: &str = "/api/v1/admin/billing-accounts";
const MINUTE: i64 = 60_000_000;

fn uuid(tenant: &Tenant) -> Uuid {
    tenant.org_id.parse::<OrgId>().expect("an id").uuid()
}

fn micros(money: &Value) -> i64 {
    money["amount_micros"].as_i64().expect("micros")
}

async fn balance(tenant: &Tenant) -> Value {
    tenant.api.get("/api/v1/balance").await.expect(200)
}

async fn give(stack: &Stack, tenant: &Tenant, micros: i64) {
    let gift = json!({"organization_id": tenant.org_id, "reason": "a test",
                      "amount": {"amount_micros": micros, "currency": "USD"}});
    stack
        .admin()
        .post("/api/v1/admin/credits", &gift)
        .await
        .expect(201);
}

/// A policy value for one organization.
async fn policy(stack: &Stack, tenant: &Tenant, key: &str, value: i64) {
    let body = json!({"scope": tenant.org_id, "value": value});
    let path = format!("/api/v1/admin/policies/{key}");
    stack.admin().put(&path, &body).await.expect(200);
}

/// The code of why an allocation was not let in.
async fn refused(stack: &Stack, tenant: &Tenant, gpus: u32) -> String {
    let made = tenant.create_allocation(stack, gpus).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "failed", "{done}");
    done["error"]["code"].as_str().expect("a code").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_warned_stopped_at_zero_and_welcome_again() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    // 2 GPUs of the sample SKU burn 1,389 micros a second.
    policy(stack, &tenant, "billing.start_hold_seconds", 2).await;
    policy(stack, &tenant, "billing.balance_low_seconds", 10).await;
    policy(stack, &tenant, "billing.balance_last_warning_seconds", 3).await;
    give(stack, &tenant, 18_000).await;
    let given = balance(&tenant).await;
    assert_eq!(
        (&given["terms"], &given["state"]),
        (&json!("prepaid"), &json!("healthy"))
    );
    let made = tenant.create_allocation(stack, 2).await.expect(202);
    let id = made["resource"]["id"].as_str().expect("an id").to_owned();
    tenant.api.allocation_in(&id, &["active"], LIMIT).await;
    let burning = balance(&tenant).await;
    assert_eq!(micros(&burning["burn_per_hour"]), 5_000_000, "{burning}");
    let zero = burning["zero_at"].as_str().expect("an end").to_owned();

    let ended = tenant.api.allocation_in(&id, &["released"], LIMIT).await;
    assert_eq!(ended["state_reason"], "balance_depleted", "{ended}");
    let usage = tenant
        .api
        .get(&format!("/api/v1/allocations/{id}/usage"))
        .await;
    let usage = usage.expect(200);
    assert_eq!(
        usage["items"][0]["ended_at"], zero,
        "where it was foretold: {usage}"
    );
    let orgs = [uuid(&tenant)];
    let [(_, left, second)] = left(stack, &orgs).await[..] else {
        panic!("one organization");
    };
    assert!(
        (-second..=0).contains(&left),
        "{left} left, {second} a second"
    );
    let gone = balance(&tenant).await;
    assert_eq!(
        (&gone["state"], micros(&gone["available"])),
        (&json!("depleted"), 0)
    );
    let states = told(stack, orgs[0]).await;
    assert_eq!(
        states,
        ["low", "auto_release_pending", "depleted"],
        "each once"
    );
    stack
        .record("balance_guard_zero", &format!("balance/{}", tenant.org_id))
        .await;

    assert_eq!(refused(stack, &tenant, 1).await, "insufficient_balance");
    give(stack, &tenant, 50_000_000).await;
    eventually("it is healthy", LIMIT, || async {
        (balance(&tenant).await["state"] == "healthy").then_some(())
    })
    .await;
    let again = tenant.create_allocation(stack, 1).await.expect(202);
    let id = again["resource"]["id"].as_str().expect("an id").to_owned();
    tenant.api.allocation_in(&id, &["active"], LIMIT).await;
    tenant
        .api
        .delete(&format!("/api/v1/allocations/{id}"))
        .await
        .expect(202);
    tenant.api.allocation_in(&id, &["released"], LIMIT).await;
    let guard = format!("balance/{}", tenant.org_id);
    eventually("its guard ends", LIMIT, || async {
        sweep::run_of(stack, &guard).await.is_none().then_some(())
    })
    .await;
    stack.record("balance_guard", &guard).await;
    assert_eq!(told(stack, orgs[0]).await.last().expect("one"), "healthy");
}

/// The money of each ended at its own instant, most of them while nobody was there to see it.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_allocations_end_where_their_money_did_though_the_worker_dies() {
    let stack = rough_stack().await;
    let sku = prepaid::sku(&stack).await;
    let now = now(&stack).await;
    let mut orgs = Vec::new();
    for number in 0..40 {
        // Five allocations with 15 GPUs together burn 15 units a second.
        let since = now - (1 + number % 5) * MINUTE;
        let given = 40_000_000 * (1 + number);
        let org = prepaid::organization(&stack, given, since).await;
        for gpus in 1..=5 {
            prepaid::running(&stack, org, &sku, gpus, since).await;
        }
        orgs.push(org);
    }
    let ending = || async {
        let (allocations, _) = open(&stack, &orgs).await;
        (allocations < 150).then_some(())
    };
    eventually("a part of them ends", LIMIT, || async {
        sweep::trigger(&stack, "sweep").await;
        ending().await
    })
    .await;
    stack.kill("worker");
    stack.heal().await;
    eventually("all of them end", LIMIT, || async {
        sweep::trigger(&stack, "sweep").await;
        (open(&stack, &orgs).await == (0, 0)).then_some(())
    })
    .await;
    let left = left(&stack, &orgs).await;
    assert_eq!(left.len(), orgs.len());
    for (org, left, second) in left {
        assert!(
            (-second..=0).contains(&left),
            "{org}: {left} left, {second} a second"
        );
        let states = told(&stack, org).await;
        let depleted = states.iter().filter(|state| *state == "depleted").count();
        assert_eq!(depleted, 1, "{states:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn money_for_one_start_lets_one_in() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    // One GPU for ten minutes is 416,667 micros; nothing else has such a SKU, so both wait.
    give(stack, &tenant, 500_000).await;
    let mut body = tenant.allocation_body(stack, 1);
    let rare = prepaid::sku_at(stack, 2_500_000).await;
    body["sku"] = json!(rare);
    let ask = || tenant.api.post("/api/v1/allocations", &body);
    let (one, two) = tokio::join!(ask(), ask());
    let mut states = Vec::new();
    for made in [one.expect(202), two.expect(202)] {
        let id = made["resource"]["id"].as_str().expect("an id").to_owned();
        let seen = tenant
            .api
            .allocation_in(&id, &["queued", "failed"], LIMIT)
            .await;
        states.push(seen["state"].as_str().expect("a state").to_owned());
        if seen["state"] == "failed" {
            assert_eq!(seen["state_reason"], "insufficient_balance", "{seen}");
        }
    }
    states.sort();
    assert_eq!(states, ["failed", "queued"]);
    assert_eq!(micros(&balance(&tenant).await["held"]), 416_667);
    let plan = tenant
        .api
        .post("/api/v1/allocations:plan", &body)
        .await
        .expect(200);
    assert_eq!(
        (&plan["verdict"], &plan["code"]),
        (&json!("refused"), &json!("insufficient_balance"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cap_holds_and_bad_ones_are_refused() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let path = "/api/v1/balance/spend-cap";
    let cap = |micros: Value, currency: &str| json!({"per_hour": {"amount_micros": micros, "currency": currency}});
    for bad in [
        cap(json!(-1), "USD"),
        cap(json!(1.5), "USD"),
        cap(json!(i64::MAX), "USD"),
        cap(json!(5), "EUR"),
        cap(json!(5), "XXX"),
        json!({}),
    ] {
        tenant
            .api
            .put(path, &bad)
            .await
            .problem(422, "invalid_request");
    }
    let member = tenant.colleague(stack, "member").await;
    let tight = cap(json!(4_999_999), "USD");
    member.put(path, &tight).await.problem(403, "forbidden");
    let set = tenant.api.put(path, &tight).await.expect(200);
    assert_eq!(micros(&set["spend_cap_per_hour"]), 4_999_999, "{set}");
    assert_eq!(set["terms"], "invoiced", "a cap is for everybody");
    assert_eq!(refused(stack, &tenant, 2).await, "spend_cap_exceeded");
    let plan = tenant.allocation_body(stack, 2);
    let plan = tenant
        .api
        .post("/api/v1/allocations:plan", &plan)
        .await
        .expect(200);
    assert_eq!(plan["code"], "spend_cap_exceeded", "{plan}");
    tenant
        .api
        .put(path, &cap(json!(5_000_000), "USD"))
        .await
        .expect(200);
    let made = tenant.create_allocation(stack, 2).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    assert_eq!(refused(stack, &tenant, 1).await, "spend_cap_exceeded");
    tenant
        .api
        .put(path, &json!({"per_hour": null}))
        .await
        .expect(200);
    assert_eq!(balance(&tenant).await["spend_cap_per_hour"], Value::Null);
    let id = made["resource"]["id"].as_str().expect("an id");
    tenant
        .api
        .delete(&format!("/api/v1/allocations/{id}"))
        .await
        .expect(202);
    tenant.api.allocation_in(id, &["released"], LIMIT).await;
}

/// Who pays by invoice keeps what runs; an operator's word changes that at once, in both directions.
#[tokio::test(flavor = "multi_thread")]
async fn terms_decide_who_is_stopped() {
    let stack = stack().await;
    let sku = prepaid::sku(stack).await;
    let since = now(stack).await - MINUTE;
    let org = world::organization(stack, "USD").await;
    prepaid::running(stack, org, &sku, 1, since).await;
    // It has used something, so its first money changes nothing.
    let id = OrgId::from(org);
    let gift = json!({"organization_id": id, "reason": "a test",
                      "amount": {"amount_micros": 1, "currency": "USD"}});
    stack
        .admin()
        .post("/api/v1/admin/credits", &gift)
        .await
        .expect(201);
    let path = format!("{ACCOUNTS}/{id}");
    let account = stack.admin().get(&path).await.expect(200);
    assert_eq!(
        (&account["terms"], &account["state"]),
        (&json!("invoiced"), &json!("healthy"))
    );
    let terms = format!("{path}/terms");
    for bad in [
        json!({"terms": "prepaid"}),
        json!({"terms": "free", "reason": "x"}),
    ] {
        stack
            .admin()
            .put(&terms, &bad)
            .await
            .problem(422, "invalid_request");
    }
    let nobody = format!("{ACCOUNTS}/org_00000000000000000000000000000001/terms");
    let wish = json!({"terms": "prepaid", "reason": "did not pay"});
    stack
        .admin()
        .put(&nobody, &wish)
        .await
        .problem(404, "not_found");
    let set = stack.admin().put(&terms, &wish).await.expect(200);
    assert_eq!(set["terms_reason"], "did not pay", "{set}");
    eventually("it is stopped", LIMIT, || async {
        (open(stack, &[org]).await == (0, 0)).then_some(())
    })
    .await;
    let ended: i64 = sqlx::query_scalar(
        "select (extract(epoch from upper(period)) * 1000000)::bigint from usage_intervals where org_id = $1",
    )
    .bind(org)
    .fetch_one(&stack.database().await)
    .await
    .expect("an end");
    assert!(
        ended > since + MINUTE,
        "not before it had to pay in advance"
    );
    let depleted = stack
        .admin()
        .get(&format!("{ACCOUNTS}?state=depleted&limit=100"))
        .await;
    let depleted = depleted.expect(200);
    let listed = depleted["items"].as_array().expect("a list").iter();
    assert!(
        listed
            .clone()
            .any(|one| one["organization_id"] == json!(id)),
        "{depleted}"
    );
    let back = json!({"terms": "invoiced", "reason": "they called"});
    let back = stack.admin().put(&terms, &back).await.expect(200);
    assert_eq!(
        (&back["terms"], &back["state"]),
        (&json!("invoiced"), &json!("healthy"))
    );
}

/// A price that rises takes hold of the timer that is set already.
#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_rises_moves_the_end() {
    let stack = stack().await;
    let sku = prepaid::sku_at(stack, 3_600_000).await;
    let start = now(stack).await;
    let org = prepaid::organization(stack, 5_000_000, start).await;
    prepaid::running(stack, org, &sku, 1, start).await;
    let terms = format!("{ACCOUNTS}/{}/terms", OrgId::from(org));
    let wish = json!({"terms": "prepaid", "reason": "wakes its guard"});
    stack.admin().put(&terms, &wish).await.expect(200);
    eventually("its guard has seen the end", LIMIT, || async {
        let account = stack
            .admin()
            .get(&format!("{ACCOUNTS}/{}", OrgId::from(org)))
            .await;
        account.expect(200)["zero_at"]
            .as_str()
            .map(ToOwned::to_owned)
    })
    .await;
    let dear = json!({"sku": sku, "reason": "x",
                      "per_gpu_hour": {"amount_micros": 36_000_000_000_i64, "currency": "USD"}});
    stack
        .admin()
        .post("/api/v1/admin/prices", &dear)
        .await
        .expect(201);
    eventually("it is stopped", Duration::from_mins(1), || async {
        (open(stack, &[org]).await == (0, 0)).then_some(())
    })
    .await;
}
