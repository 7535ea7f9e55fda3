//! AUD-04: an attempt to change something leaves a row, also one that changes nothing.

use api::endpoint::{Authentication, Endpoint};
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use tests::{Answer, Api, Stack, Tenant, stack};

use crate::router::request;

/// Routes that change something and know their callers. What strangers try is counted, not written.
fn changing() -> Vec<Endpoint> {
    let routes = api::routes::registry().into_iter();
    let known = |endpoint: &Endpoint| {
        matches!(
            endpoint.guard.authentication,
            Authentication::Principal
                | Authentication::Person
                | Authentication::PrincipalOrOperator
                | Authentication::PlatformFinance
                | Authentication::PlatformOperator
        )
    };
    let routes: Vec<_> = routes
        .filter(|endpoint| endpoint.guard.action.is_some() && known(endpoint))
        .collect();
    assert!(routes.len() > 40, "{}", routes.len());
    routes
}

/// Outcomes that were written down of a request.
async fn outcomes(stack: &Stack, answer: &Answer) -> Vec<String> {
    sqlx::query_scalar("select outcome from audit_logs where request_id = $1")
        .bind(answer.header("x-request-id"))
        .fetch_all(&stack.database().await)
        .await
        .expect("rows")
}

async fn spoiled(api: &Api, endpoint: &Endpoint) -> Answer {
    let request = request(api, endpoint);
    let request = request.header(CONTENT_TYPE, "application/json").body("{");
    api.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn aud_04_who_may_not_is_written_down_on_every_route() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let key = json!({"name": "reads", "scopes": ["read"]});
    let key = tenant.api.post("/api/v1/api-keys", &key).await.expect(201);
    let reader = stack.api(key["secret"].as_str());
    for endpoint in changing() {
        let answer = spoiled(&reader, &endpoint).await;
        answer.problem(403, "forbidden");
        assert_eq!(outcomes(stack, &answer).await, ["denied"], "{endpoint:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn aud_04_what_fails_is_written_down_on_every_route() {
    let stack = stack().await;
    for endpoint in changing() {
        let answer = spoiled(&stack.admin(), &endpoint).await;
        assert!(answer.status.is_client_error(), "{endpoint:?}: {answer:?}");
        let forbidden = answer.status == 403;
        let outcome = if forbidden { "denied" } else { "failed" };
        assert_eq!(outcomes(stack, &answer).await, [outcome], "{endpoint:?}");
    }
}
