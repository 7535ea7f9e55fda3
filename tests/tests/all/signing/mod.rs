//! Berth's own signatures: the keys and their states, what is published of them, receipts that
//! others verify, tickets that open once.

mod keys;
mod published;
mod receipts;
mod tickets;
mod tickets_refused;

use std::time::Duration;

use serde_json::Value;
use tests::{Stack, Tenant};

const LIMIT: Duration = Duration::from_mins(2);

/// An allocation that was handed over, as its tenant sees it.
async fn active(stack: &Stack, tenant: &Tenant) -> Value {
    let operation = tenant.create_allocation(stack, 1).await.expect(202);
    let done = tenant.api.finished(&operation, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    tenant
        .allocation(operation["resource"]["id"].as_str().expect("an id"))
        .await
}

async fn release(tenant: &Tenant, allocation: &Value) {
    let path = format!("/api/v1/allocations/{}", text(&allocation["id"]));
    let release = tenant.api.delete(&path).await.expect(202);
    tenant.api.finished(&release, LIMIT).await;
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The published keys, as anybody reads them.
async fn jwks(stack: &Stack) -> Value {
    let answer = stack.api(None).get("/.well-known/jwks.json").await;
    answer.expect(200)
}

/// `berth alloc receipt` as the tenant runs it: the code it ends with, and all that it says.
async fn berth_receipt(
    stack: &Stack,
    tenant: &Tenant,
    allocation: &Value,
) -> (Option<i32>, String) {
    let id = text(&allocation["id"]);
    let done = stack
        .berth(&["alloc", "receipt", id, "--api-key", &tenant.key])
        .await;
    let said = [done.stdout, done.stderr].concat();
    (
        done.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}
