//! An SKU without machines: allocations of it exist, wait and end, and take no GPU from the tests
//! that need one.

use serde_json::{Value, json};
use tests::{Stack, Tenant};

const SKU: &str = "no-machines";

async fn sku(stack: &Stack) {
    sqlx::query(
        "insert into skus (name, region, display_name, gpu_model, gpu_memory_bytes, gpus_per_node)
         select $1, region, display_name, gpu_model, gpu_memory_bytes, 8 from skus where name = $2
         on conflict do nothing",
    )
    .bind(SKU)
    .bind(stack.env("BERTH_SKU"))
    .execute(&stack.database().await)
    .await
    .expect("an SKU");
}

/// A sound body for `POST /allocations` that waits until it is told to stop.
pub(crate) async fn waiting(stack: &Stack, tenant: &Tenant) -> Value {
    sku(stack).await;
    let mut body = tenant.allocation_body(stack, 1);
    body["sku"] = json!(SKU);
    body["queue_timeout_seconds"] = json!(86_400);
    body
}

/// The same, which fails at once.
pub(crate) async fn hasty(stack: &Stack, tenant: &Tenant) -> Value {
    let mut body = waiting(stack, tenant).await;
    body["queue_timeout_seconds"] = json!(0);
    body
}
