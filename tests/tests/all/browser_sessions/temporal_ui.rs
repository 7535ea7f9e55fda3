//! An operator reads payloads in Temporal's UI, in headless Chromium: `tests/ui/temporal_ui.mjs`.

use std::time::Duration;

use serde_json::Value;
use tests::stack::workspace;
use tests::{IdentityProvider, Stack, Tenant, stack};

use super::{ME, replica};
use crate::openid::link;

const LIMIT: Duration = Duration::from_mins(3);

/// What the page of a workflow shows to somebody.
async fn look(stack: &Stack, api: &str, allocation: &str, subject: &str) -> Value {
    let ui = stack.env("BERTH_TEMPORAL_UI_URL");
    let namespace = stack.env("BERTH_TEMPORAL_NAMESPACE");
    let seen = tokio::process::Command::new("node")
        .arg(workspace().join("tests/ui/temporal_ui.mjs"))
        .env("API", api)
        .env("SUBJECT", subject)
        .env("WANTED", "\"allocation_id\"")
        .env(
            "WORKFLOW",
            format!("{ui}/namespaces/{namespace}/workflows/allocation%2F{allocation}"),
        )
        .kill_on_drop(true)
        .output();
    let seen = tokio::time::timeout(LIMIT, seen).await.expect("in time");
    let seen = seen.expect("node starts: scripts/setup.sh installs it and tests/ui");
    let text = String::from_utf8_lossy(&seen.stderr);
    assert!(seen.status.success(), "{text}");
    serde_json::from_slice(&seen.stdout).expect("a line of JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_reads_payloads_in_temporals_ui_and_nobody_else() {
    let stack = stack().await;
    let (tenant, provider) = (Tenant::new(stack).await, IdentityProvider::start().await);
    let operator = stack.admin().get(ME).await.expect(200);
    let user_id = operator["user"]["id"].as_str().expect("an id");
    link(stack, &provider.issuer, "operator", user_id).await;
    link(stack, &provider.issuer, "tenant", &tenant.user_id).await;
    let replica = replica(stack, &provider).await;
    let made = tenant.create_allocation(stack, 1).await.expect(202);
    let allocation = made["resource"]["id"].as_str().expect("an id").to_owned();
    let path = format!("/api/v1/allocations/{allocation}");
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");

    let wanted = format!("\"allocation_id\": \"{allocation}\"");
    let page = look(stack, &replica.base, &allocation, "operator").await;
    assert_eq!(page["status"], 200);
    let text = page["text"].as_str().expect("a text");
    assert!(text.contains(&wanted), "{text}");
    let audited: i64 = sqlx::query_scalar(
        "select count(*) from audit_logs where action = 'payload.decode' and actor_kind = 'user'
         and actor_id = $1 and outcome = 'allowed'",
    )
    .bind(user_id)
    .fetch_one(&stack.database().await)
    .await
    .expect("the log");
    assert!(audited > 0);

    for (who, status) in [("", 401), ("tenant", 403)] {
        let page = look(stack, &replica.base, &allocation, who).await;
        assert_eq!(page["status"], status, "{who}");
        let text = page["text"].as_str().expect("a text");
        assert!(!text.contains("\"allocation_id\""), "{who}: {text}");
        assert!(text.contains(&allocation), "{who}: the page is there");
    }
    tenant.api.delete(&path).await.expect(202);
}
