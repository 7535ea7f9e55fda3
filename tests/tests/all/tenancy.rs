//! Invariant 10: a tenant never sees another's row. Driven by the registry of endpoints, so that
//! no route can be forgotten.

use api::endpoint::{Authentication, Endpoint};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Stack, Tenant, stack};

use crate::billing;
use crate::idle::waiting;

/// Something of every kind that a tenant can own.
struct Belongings {
    tenant: Tenant,
    allocation_id: String,
    operation_id: String,
    api_key_id: String,
    invoice_id: String,
    line_id: String,
}

impl Belongings {
    async fn new(stack: &Stack) -> Self {
        let tenant = Tenant::new(stack).await;
        let body = waiting(stack, &tenant).await;
        let operation = tenant
            .api
            .post("/api/v1/allocations", &body)
            .await
            .expect(202);
        let keys = tenant.api.get("/api/v1/api-keys").await.expect(200);
        let text = |value: &Value| value.as_str().expect("an id").to_owned();
        billing::one_invoice(stack, &tenant).await;
        let invoices = tenant.api.get("/api/v1/invoices").await.expect(200);
        let invoice_id = text(&invoices["items"][0]["id"]);
        let lines = format!("/api/v1/invoices/{invoice_id}/lines");
        let lines = tenant.api.get(&lines).await.expect(200);
        Self {
            line_id: text(&lines["items"][0]["id"]),
            invoice_id,
            allocation_id: text(&operation["resource"]["id"]),
            operation_id: text(&operation["id"]),
            api_key_id: text(&keys["items"][0]["id"]),
            tenant,
        }
    }

    /// The template with this tenant's ids in it. `None`: no id stands in it.
    fn path(&self, template: &str) -> Option<String> {
        let owned = [
            ("/allocations/{id}", &self.allocation_id),
            ("/api-keys/{id}", &self.api_key_id),
            ("/invoices/{id}", &self.invoice_id),
            ("/operations/{id}", &self.operation_id),
            ("/organizations/{id}", &self.tenant.org_id),
            ("/projects/{id}", &self.tenant.project_id),
            ("/ssh-keys/{id}", &self.tenant.ssh_key_id),
        ];
        let (noun, id) = owned.iter().find(|(noun, _)| template.contains(noun))?;
        let filled = template.replace(noun, &noun.replace("{id}", id));
        // A person in a project, a line of an invoice.
        let filled = filled.replace("{user_id}", &self.tenant.user_id);
        Some(filled.replace("{line_id}", &self.line_id))
    }
}

/// A body that the endpoint would take.
fn body(endpoint: &Endpoint, tenant: &Tenant) -> Value {
    match (endpoint.method.as_str(), &*endpoint.path) {
        ("POST", path) if path.ends_with(":extend") => json!({"lease_seconds": 60}),
        ("POST", path) if path.ends_with("/ssh-certificates") => {
            json!({"public_key": tenant.keys.public})
        }
        ("POST", "/api/v1/organizations/{id}/members") => {
            json!({"email": "new@example.test", "display_name": "New", "role": "member"})
        }
        ("POST", path) if path.ends_with("/members") => {
            json!({"user_id": tenant.user_id, "role": "member"})
        }
        ("PATCH", path) if path.contains("/members/") => json!({"role": "viewer"}),
        ("PATCH", _) => json!({"name": "mine now"}),
        ("POST", _) => json!({}),
        _ => Value::Null,
    }
}

async fn call(endpoint: &Endpoint, path: &str, tenant: &Tenant) -> tests::Answer {
    let method = Method::from_bytes(endpoint.method.as_str().as_bytes()).expect("a method");
    let mut request = tenant.api.request(method, path).header("if-match", "*");
    if endpoint.guard.idempotency.is_required() {
        request = request.header("idempotency-key", db::id::fresh::<uuid::Uuid>().to_string());
    }
    let body = body(endpoint, tenant);
    if !body.is_null() {
        request = request.json(&body);
    }
    tenant.api.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_endpoint_answers_404_for_what_belongs_to_somebody_else() {
    let stack = stack().await;
    let (owner, stranger) = (Belongings::new(stack).await, Tenant::new(stack).await);
    let mut tried = 0;
    for endpoint in api::routes::registry() {
        if !endpoint.path.contains('{') {
            continue;
        }
        let doors = [
            Authentication::PlatformOperator,
            Authentication::PlatformFinance,
        ];
        if doors.contains(&endpoint.guard.authentication) {
            let path = endpoint
                .path
                .replace("{invoice_id}", &owner.operation_id)
                .replace("{id}", &owner.operation_id)
                .replace("{key}", "allocation.lease_seconds");
            call(&endpoint, &path, &stranger)
                .await
                .problem(403, "forbidden");
            continue;
        }
        // The catalog belongs to everybody.
        if ["/skus/", "/regions/"]
            .iter()
            .any(|noun| endpoint.path.contains(noun))
        {
            continue;
        }
        let path = owner
            .path(&endpoint.path)
            .unwrap_or_else(|| panic!("no foreign id for {endpoint:?}: name one"));
        assert!(!path.contains('{'), "{path}: an id is missing");
        let answer = call(&endpoint, &path, &stranger).await;
        assert_eq!(answer.status, 404, "{endpoint:?}: {}", answer.text);
        answer.problem(404, "not_found");
        tried += 1;
    }
    assert!(tried >= 20, "only {tried} endpoints were tried");
    let theirs = owner.tenant.allocation(&owner.allocation_id).await;
    assert_eq!(theirs["name"], "train", "a stranger changed it");
    assert!(
        theirs["release_requested_at"].is_null(),
        "a stranger released it"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_show_what_is_ones_own() {
    let stack = stack().await;
    let (owner, stranger) = (Belongings::new(stack).await, Tenant::new(stack).await);
    let marks = [
        &owner.allocation_id,
        &owner.operation_id,
        &owner.api_key_id,
        &owner.invoice_id,
        &owner.tenant.org_id,
        &owner.tenant.project_id,
        &owner.tenant.ssh_key_id,
    ];
    for endpoint in api::routes::registry() {
        let lists = endpoint.method == "GET" && !endpoint.path.contains('{');
        if !lists || !endpoint.path.starts_with("/api/v1/") {
            continue;
        }
        let answer = stranger.api.get(&endpoint.path).await;
        for mark in marks {
            assert!(
                !answer.text.contains(mark.as_str()),
                "{endpoint:?} shows {mark}"
            );
        }
    }
    let path = format!("/api/v1/operations?resource_id={}", owner.allocation_id);
    let page = stranger.api.get(&path).await.expect(200);
    assert_eq!(page["items"], json!([]));
    let path = format!("/api/v1/allocations?project_id={}", owner.tenant.project_id);
    let page = stranger.api.get(&path).await.expect(200);
    assert_eq!(page["items"], json!([]));
}

/// The scope of the transaction stands behind the queries: even a statement that forgets its
/// organization finds nothing.
#[tokio::test(flavor = "multi_thread")]
async fn row_level_security_hides_what_a_query_forgets_to_filter() {
    let stack = stack().await;
    let (owner, stranger) = (Belongings::new(stack).await, Tenant::new(stack).await);
    let pool = sqlx::PgPool::connect(&tests::scratch::as_role(stack, "berth_api"))
        .await
        .expect("the API's role may log in");
    let stranger_org: domain::id::OrgId = stranger.org_id.parse().expect("an id");
    let mut tx = db::scope::organization(&pool, stranger_org)
        .await
        .expect("a scope");
    let org: domain::id::OrgId = owner.tenant.org_id.parse().expect("an id");
    for table in [
        "allocations",
        "allocation_ssh_keys",
        "operations",
        "operation_steps",
        "outbox_events",
        "workflow_intents",
        "idempotency_keys",
        "audit_logs",
        "projects",
        "ssh_keys",
        "api_keys",
        "memberships",
    ] {
        let statement = format!("select count(*) from {table} where org_id = $1");
        let seen: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(org.uuid())
            .fetch_one(&mut *tx)
            .await
            .expect("the API may read it");
        assert_eq!(seen, 0, "{table}");
    }
}
