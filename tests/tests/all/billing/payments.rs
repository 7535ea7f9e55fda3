//! Money that the payment provider tells of, and credits that expire.

use domain::id::OrgId;
use serde_json::{Value, json};
use standardwebhooks::Webhook;
use tests::api::Answer;
use tests::{Stack, Tenant, eventually, stack};
use uuid::Uuid;

use super::prepaid;
use super::world::{self, LIMIT};
use crate::sweep;

const HOOK: &str = "/api/v1/payments/webhook";

/// Sends a message as the provider does.
async fn tell(stack: &Stack, age_seconds: i64, signed: &Value, sent: &Value) -> Answer {
    let at = prepaid::now(stack).await / 1_000_000 - age_seconds;
    let secret = stack.env("BERTH_PAYMENTS_WEBHOOK_SECRET");
    let signature = Webhook::new(secret)
        .and_then(|webhook| webhook.sign("msg_1", at, signed.to_string().as_bytes()))
        .expect("a signature");
    let api = stack.api(None);
    let request = api
        .request(reqwest::Method::POST, HOOK)
        .header("content-type", "application/json")
        .header("webhook-id", "msg_1")
        .header("webhook-timestamp", at)
        .header("webhook-signature", signature)
        .body(sent.to_string());
    api.send(request).await
}

fn paid(org: &str, reference: &str, micros: i64) -> Value {
    json!({"type": "payment.succeeded", "data": {"payment_id": reference, "organization_id": org,
           "amount": {"amount_micros": micros, "currency": "USD"}}})
}

async fn ledger(tenant: &Tenant) -> i64 {
    let balance = tenant.api.get("/api/v1/balance").await.expect(200);
    balance["ledger"]["amount_micros"].as_i64().expect("micros")
}

fn reference() -> String {
    format!("pay-{}", db::id::fresh::<Uuid>())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_booked_once_and_a_forged_one_never() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (org, name) = (tenant.org_id.as_str(), reference());
    let sound = paid(org, &name, 25_000_000);
    // Signed, and then made ten times as much; too old; from the future; not signed at all.
    let dear = paid(org, &name, 250_000_000);
    tell(stack, 0, &sound, &dear)
        .await
        .problem(401, "invalid_credentials");
    for age in [400, -400] {
        tell(stack, age, &sound, &sound)
            .await
            .problem(401, "invalid_credentials");
    }
    stack
        .api(None)
        .post(HOOK, &sound)
        .await
        .problem(401, "credentials_required");
    stack
        .admin()
        .post(HOOK, &sound)
        .await
        .problem(401, "credentials_required");
    assert_eq!(ledger(&tenant).await, 0, "nothing was credited");

    let twins = [1, 2, 3].map(|_| tell(stack, 0, &sound, &sound));
    let mut duplicates = Vec::new();
    for answer in futures::future::join_all(twins).await {
        duplicates.push(answer.expect(200)["duplicate"] == true);
    }
    duplicates.sort_unstable();
    assert_eq!(duplicates, [false, true, true]);
    assert_eq!(ledger(&tenant).await, 25_000_000);
    let account = tenant.api.get("/api/v1/balance").await.expect(200);
    assert_eq!(account["terms"], "prepaid", "its first money");
    tell(stack, 0, &dear, &dear)
        .await
        .problem(422, "invalid_request");

    let back = |id: &str, of: &str, micros: i64| {
        json!({"type": "payment.refunded", "data": {"refund_id": id, "payment_id": of,
               "amount": {"amount_micros": micros, "currency": "USD"}}})
    };
    for bad in [
        back("r-1", "pay-of-nobody", 5),
        back("r-1", &name, 25_000_001),
        back("r-1", &name, 0),
        paid("org_00000000000000000000000000000001", &reference(), 5),
        paid(org, &reference(), -5),
        paid(org, &reference(), i64::MAX),
        paid(org, "", 5),
        json!({"type": "payment.imagined", "data": {}}),
        json!({"type": "payment.succeeded", "data": {"payment_id": "x"}}),
        json!({"type": "payment.succeeded", "data": {"payment_id": "x", "organization_id": org,
               "amount": {"amount_micros": 5, "currency": "EUR"}}}),
    ] {
        tell(stack, 0, &bad, &bad)
            .await
            .problem(422, "invalid_request");
    }
    let refund = format!("r-{name}");
    for _ in 0..2 {
        let some = back(&refund, &name, 20_000_000);
        tell(stack, 0, &some, &some).await.expect(200);
    }
    let rest = back(&format!("{refund}-2"), &name, 5_000_001);
    tell(stack, 0, &rest, &rest)
        .await
        .problem(422, "invalid_request");
    assert_eq!(ledger(&tenant).await, 5_000_000);
    let entries = tenant
        .api
        .get("/api/v1/ledger-entries?account=payments")
        .await
        .expect(200);
    let kinds: Vec<_> = entries["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| {
            (
                entry["kind"].clone(),
                entry["amount"]["amount_micros"].clone(),
            )
        })
        .collect();
    assert_eq!(
        kinds,
        [
            (json!("refund"), json!(20_000_000)),
            (json!("payment"), json!(-25_000_000))
        ]
    );
    world::assert_sound(stack, &[org.parse::<OrgId>().expect("an id").uuid()]).await;
}

/// What was taken back of credits, in the order of their expiry.
async fn lapsed(stack: &Stack, org: Uuid) -> Vec<i64> {
    sqlx::query_scalar(
        "select e.amount_micros from credit_expiries e join credits c on c.id = e.credit_id
         where e.org_id = $1 order by c.expires_at",
    )
    .bind(org)
    .fetch_all(&stack.database().await)
    .await
    .expect("amounts")
}

/// An operator's credit that is over in so many seconds, or stays; when it is over.
async fn give(stack: &Stack, org: Uuid, units: i64, priority: i32, seconds: Option<i64>) -> i64 {
    let now = prepaid::now(stack).await;
    let over = seconds.map(|seconds| now + seconds * 1_000_000);
    let gift = json!({"organization_id": OrgId::from(org), "reason": "a test", "priority": priority,
                      "expires_at": over.map(world::text),
                      "amount": {"amount_micros": units * 1_000_000, "currency": "USD"}});
    stack
        .admin()
        .post("/api/v1/admin/credits", &gift)
        .await
        .expect(201);
    over.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_credit_expires_in_the_order_of_use() {
    let stack = stack().await;
    let sku = prepaid::sku(stack).await;
    let mut orgs = Vec::new();
    // Ten that expire and ten that stay, of which four are used: from which of them, the priority says.
    for (expiring, staying) in [(100, 100), (0, 500), (500, 0)] {
        let org = world::organization(stack, "USD").await;
        give(stack, org, 10, expiring, Some(8)).await;
        give(stack, org, 10, staying, None).await;
        // It is over before the credit is.
        let now = prepaid::now(stack).await;
        prepaid::used(stack, org, &sku, 4, now, now + 1_000_000).await;
        orgs.push(org);
    }
    let lapses = eventually("all are over", LIMIT, || async {
        sweep::trigger(stack, "metering").await;
        let mut all = Vec::new();
        for org in &orgs {
            all.extend(lapsed(stack, *org).await);
        }
        (all.len() == orgs.len()).then_some(all)
    })
    .await;
    assert_eq!(lapses, [6_000_000, 6_000_000, 10_000_000]);
    for (org, left) in orgs.iter().zip([14, 14, 10]) {
        let accounts = world::accounts(stack, *org).await;
        assert_eq!(accounts["receivable"], left * 1_000_000);
        let linked: i64 = sqlx::query_scalar(
            "select count(*) from ledger_entries e join ledger_entries c on c.id = e.corrects_entry_id
             where e.org_id = $1 and c.account = 'receivable' and c.amount_micros = 10000000",
        )
        .bind(org)
        .fetch_one(&stack.database().await)
        .await
        .expect("a count");
        assert_eq!(linked, 1, "it says what it takes back");
    }
    world::assert_sound(stack, &orgs).await;
    for bad in [
        json!({"priority": -1}),
        json!({"priority": 1001}),
        json!({"expires_at": "2020-01-01T00:00:00Z"}),
    ] {
        let mut gift = json!({"organization_id": OrgId::from(orgs[0]), "reason": "a test",
                              "amount": {"amount_micros": 1, "currency": "USD"}});
        gift.as_object_mut()
            .expect("an object")
            .extend(bad.as_object().expect("one").clone());
        stack
            .admin()
            .post("/api/v1/admin/credits", &gift)
            .await
            .problem(422, "invalid_request");
    }
}

/// Nobody waits for the next look: the balance ends at the instant at which its credit does.
#[tokio::test(flavor = "multi_thread")]
async fn a_credit_that_expires_ends_what_runs_on_it() {
    let stack = stack().await;
    let sku = prepaid::sku(stack).await;
    let start = prepaid::now(stack).await;
    let org = world::organization(stack, "USD").await;
    let over = give(stack, org, 1_000, 100, Some(8)).await;
    prepaid::running(stack, org, &sku, 1, start).await;
    let terms = format!("/api/v1/admin/billing-accounts/{}/terms", OrgId::from(org));
    let wish = json!({"terms": "prepaid", "reason": "wakes its guard"});
    stack.admin().put(&terms, &wish).await.expect(200);
    eventually("it is stopped", LIMIT, || async {
        (prepaid::open(stack, &[org]).await == (0, 0)).then_some(())
    })
    .await;
    let ended: i64 = sqlx::query_scalar(
        "select (extract(epoch from upper(period)) * 1000000)::bigint from usage_intervals where org_id = $1",
    )
    .bind(org)
    .fetch_one(&stack.database().await)
    .await
    .expect("an end");
    assert_eq!(ended, over);
    let told = prepaid::told(stack, org).await;
    assert_eq!(told, ["auto_release_pending", "depleted"], "it was warned");
}
