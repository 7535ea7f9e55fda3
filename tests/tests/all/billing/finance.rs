//! People of finance: they read what concerns money, of everybody, and nothing else of theirs opens.

use serde_json::json;
use tests::{Api, Stack, Tenant, rough_stack, scratch, stack};

use super::one_invoice;

/// Somebody of finance, a viewer of an organization of his own.
async fn finance(stack: &Stack) -> (Tenant, Api) {
    let tenant = Tenant::new(stack).await;
    let api = tenant.colleague(stack, "viewer").await;
    let me = api.get("/api/v1/me").await.expect(200);
    let id: domain::id::UserId = me["user"]["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("an id");
    let url = scratch::as_role(stack, "postgres");
    let pool = sqlx::PgPool::connect(&url)
        .await
        .expect("the database answers");
    sqlx::query("update users set platform_role = 'finance' where id = $1")
        .bind(id.uuid())
        .execute(&pool)
        .await
        .expect("a role");
    let me = api.get("/api/v1/me").await.expect(200);
    assert_eq!(
        (&me["platform_role"], &me["platform_operator"]),
        (&json!("finance"), &json!(false))
    );
    (tenant, api)
}

#[tokio::test(flavor = "multi_thread")]
async fn finance_reads_everybodys_money() {
    let stack = stack().await;
    let (_, finance) = finance(stack).await;
    let customer = Tenant::new(stack).await;
    one_invoice(stack, &customer).await;
    let account = format!("/api/v1/admin/billing-accounts/{}", customer.org_id);
    let get = async |path: &str| finance.get(path).await.expect(200);
    assert_eq!(get(&account).await["terms"], "invoiced");
    let invoice = get(&format!("{account}/invoices")).await["items"][0].clone();
    let mine = customer.api.get("/api/v1/invoices").await.expect(200);
    assert_eq!(invoice, mine["items"][0], "what the customer sees");
    let id = invoice["id"].as_str().expect("an id");
    let lines = get(&format!("{account}/invoices/{id}/lines")).await;
    assert_eq!(lines["items"].as_array().map(Vec::len), Some(1));
    let entries = get(&format!("{account}/ledger-entries?account=receivable")).await;
    assert_eq!(entries["items"][0]["kind"], "charge", "{entries}");
    for path in [
        "billing-runs",
        "billing-accounts",
        "credits",
        "reconciliations",
    ] {
        get(&format!("/api/v1/admin/{path}?limit=1")).await;
    }
    // Whose invoice it is has to be said.
    let other = Tenant::new(stack).await;
    let wrong = format!(
        "/api/v1/admin/billing-accounts/{}/invoices/{id}/lines",
        other.org_id
    );
    finance.get(&wrong).await.problem(404, "not_found");
    let owner = customer.api.get(&account).await;
    owner.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn finance_grants_neither_nodes_nor_keys_nor_money() {
    let stack = stack().await;
    let (tenant, finance) = finance(stack).await;
    for path in [
        "nodes",
        "signing-keys",
        "capacity",
        "policies/billing.prepaid",
        "operations",
    ] {
        let refused = finance.get(&format!("/api/v1/admin/{path}")).await;
        refused.problem(403, "forbidden");
    }
    let gift = json!({"organization_id": tenant.org_id, "reason": "x",
                      "amount": {"amount_micros": 5, "currency": "USD"}});
    let terms = format!("/api/v1/admin/billing-accounts/{}/terms", tenant.org_id);
    let invoiced = json!({"terms": "invoiced", "reason": "x"});
    finance
        .post("/api/v1/admin/credits", &gift)
        .await
        .problem(403, "forbidden");
    finance
        .put(&terms, &invoiced)
        .await
        .problem(403, "forbidden");
    let month =
        json!({"period_start": "2013-01-01T00:00:00Z", "period_end": "2013-02-01T00:00:00Z"});
    finance
        .post("/api/v1/admin/billing-runs", &month)
        .await
        .problem(403, "forbidden");
    let rotation = json!({"kind": "jwt_signer", "mode": "scheduled", "reason": "x"});
    finance
        .post("/api/v1/admin/rotations", &rotation)
        .await
        .problem(403, "forbidden");
}

/// What a price would have meant is what would have been charged under it; nothing moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_price_is_tried_before_it_is_set() {
    let stack = stack().await;
    let (_, finance) = finance(stack).await;
    let customer = Tenant::new(stack).await;
    one_invoice(stack, &customer).await;
    let account = format!("/api/v1/admin/billing-accounts/{}", customer.org_id);
    let before = finance.get(&account).await.expect(200);
    let invoice = customer.api.get("/api/v1/invoices").await.expect(200)["items"][0].clone();
    let lines = format!(
        "/api/v1/invoices/{}/lines",
        invoice["id"].as_str().expect("an id")
    );
    let line = customer.api.get(&lines).await.expect(200)["items"][0].clone();
    let trial = |micros: i64, end: &str| {
        json!({"sku": line["sku"], "per_gpu_hour": {"amount_micros": micros, "currency": "USD"},
               "period_start": "2013-01-01T00:00:00Z", "period_end": end})
    };
    let path = "/api/v1/admin/prices:preview";
    let month = "2013-02-01T00:00:00Z";
    let tried = finance
        .post(path, &trial(1_500_000, month))
        .await
        .expect(200);
    assert_eq!(tried["account_count"], 1, "{tried}");
    assert_eq!(
        tried["charged"], line["amount"],
        "what was charged: {tried}"
    );
    assert_eq!(tried["proposed"]["amount_micros"], 1_500_000, "{tried}");
    assert_eq!(
        tried["items"][0]["difference"]["amount_micros"], 500_000,
        "{tried}"
    );
    assert_eq!(
        tried["items"][0]["organization_id"],
        json!(customer.org_id),
        "{tried}"
    );
    let half = finance
        .post(path, &trial(1_500_000, "2013-01-01T00:30:00Z"))
        .await
        .expect(200);
    assert_eq!(half["difference"]["amount_micros"], 250_000, "{half}");
    for bad in [
        trial(-1, month),
        trial(i64::MAX, month),
        trial(1, "2013-01-01T00:00:00Z"),
        trial(1, "2150-01-01T00:00:00Z"),
    ] {
        finance
            .post(path, &bad)
            .await
            .problem(422, "invalid_request");
    }
    customer
        .api
        .post(path, &trial(1, month))
        .await
        .problem(403, "forbidden");
    assert_eq!(
        finance.get(&account).await.expect(200),
        before,
        "nothing moved"
    );
}

/// What is in archives is not taken for what never was.
#[tokio::test(flavor = "multi_thread")]
async fn half_of_the_records_are_not_shown_as_all() {
    let stack = rough_stack().await;
    let customer = Tenant::new(&stack).await;
    one_invoice(&stack, &customer).await;
    let first = async |path: &str| {
        let page = customer.api.get(path).await.expect(200);
        page["items"][0]["id"].as_str().expect("an id").to_owned()
    };
    let invoice = first("/api/v1/invoices").await;
    let lines = format!("/api/v1/invoices/{invoice}/lines");
    let records = format!("{lines}/{}/records", first(&lines).await);
    let line = customer.api.get(&lines).await.expect(200)["items"][0].clone();
    let trial = |start: &str, end: &str| {
        json!({"sku": line["sku"], "per_gpu_hour": {"amount_micros": 1, "currency": "USD"},
               "period_start": start, "period_end": end})
    };
    let (january, february, march) = (
        "2013-01-01T00:00:00Z",
        "2013-02-01T00:00:00Z",
        "2013-03-01T00:00:00Z",
    );
    let preview = "/api/v1/admin/prices:preview";
    customer.api.get(&records).await.expect(200);
    let root = scratch::pool(&scratch::as_role(&stack, "postgres")).await;
    let archived = "insert into archives (id, table_name, partition_name, until, row_count, file_bytes, rows_sha256,
                                          file_sha256, object_path, manifest, dropped_at)
                    values (uuid_v7(), 'usage_records', 'usage_records_gone', '2013-02-01', 0, 1, sha256('x'),
                            sha256('x'), 'x', '{}', now())";
    scratch::execute(&root, archived.to_owned()).await;
    let shown = customer.api.get(&records).await;
    let tried = stack.admin().post(preview, &trial(january, february)).await;
    let later = stack.admin().post(preview, &trial(february, march)).await;
    let back = "begin; set local session_replication_role = replica;
                delete from archives where partition_name = 'usage_records_gone'; commit";
    scratch::execute(&root, back.to_owned()).await;
    shown.problem(409, "conflict");
    tried.problem(409, "conflict");
    later.expect(200);
    customer.api.get(&records).await.expect(200);
}
