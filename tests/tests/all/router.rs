//! What every route has in common, over the wire.

use api::endpoint::{Authentication, Endpoint};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Api, Tenant, stack};

const PROJECTS: &str = "/api/v1/projects";

/// The template with something in every parameter.
fn any_path(endpoint: &Endpoint) -> String {
    let mut path = endpoint.path.to_string();
    while let (Some(open), Some(close)) = (path.find('{'), path.find('}')) {
        path.replace_range(open..=close, "x");
    }
    path
}

pub(crate) fn request(api: &Api, endpoint: &Endpoint) -> reqwest::RequestBuilder {
    let method = Method::from_bytes(endpoint.method.as_str().as_bytes()).expect("a method");
    api.request(method, &any_path(endpoint))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_is_open_without_credentials() {
    let anybody = stack().await.api(None);
    for endpoint in api::routes::registry() {
        let answer = anybody.send(request(&anybody, &endpoint)).await;
        match endpoint.guard.authentication {
            Authentication::Public => assert_ne!(answer.status, 401, "{endpoint:?}"),
            Authentication::InternalToken => {
                assert!([401, 404].contains(&answer.status.as_u16()), "{endpoint:?}");
            }
            _ => {
                answer.problem(401, "credentials_required");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_problems() {
    let api = stack().await.api(None);
    for path in [
        "/",
        "/api/v1",
        "/api/v1/nope",
        "/api/v1/projects/x/~revoke",
        "/api/v1/api-keys/x:nope",
    ] {
        api.get(path).await.problem(404, "not_found");
    }
    let answer = api.send(api.request(Method::PUT, PROJECTS)).await;
    answer.problem(405, "method_not_allowed");
    assert!(
        answer.header("allow").contains("POST"),
        "{}",
        answer.header("allow")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_its_request() {
    let api = stack().await.api(None);
    let given = api
        .request(Method::GET, "/livez")
        .header("x-request-id", "trace-1:2.3");
    assert_eq!(api.send(given).await.header("x-request-id"), "trace-1:2.3");
    for path in ["/livez", "/nope", "/api/v1/me"] {
        assert!(
            api.get(path)
                .await
                .header("x-request-id")
                .starts_with("req_"),
            "{path}"
        );
    }
    let odd = api
        .request(Method::GET, "/livez")
        .header("x-request-id", "two words");
    assert!(
        api.send(odd)
            .await
            .header("x-request-id")
            .starts_with("req_")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_are_one_too_many() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let twice = tenant
        .api
        .request(Method::GET, "/api/v1/me")
        .header("authorization", "Bearer x");
    tenant
        .api
        .send(twice)
        .await
        .problem(400, "multiple_credentials");
}

#[tokio::test(flavor = "multi_thread")]
async fn hrd_03_hrd_04_bodies_are_read_strictly() {
    let stack = stack().await;
    let api = Tenant::new(stack).await.api;
    let send = async |kind: &str, body: String| {
        let request = api
            .request(Method::POST, PROJECTS)
            .header("idempotency-key", "strict");
        api.send(request.header("content-type", kind).body(body))
            .await
    };
    let json_type = "application/json";
    send(json_type, "{".to_owned())
        .await
        .problem(400, "malformed_json");
    send(json_type, String::new())
        .await
        .problem(400, "malformed_json");
    send(json_type, "[".repeat(100_000))
        .await
        .problem(400, "malformed_json");
    send(json_type, format!("\"{}\"", "x".repeat(1 << 20)))
        .await
        .problem(413, "body_too_large");
    send("text/plain", "{}".to_owned())
        .await
        .problem(415, "unsupported_media_type");
    let pointer = |problem: &Value| problem["errors"][0]["pointer"].clone();
    for (body, at) in [
        (json!({"name": "x", "extra": 1}), "/extra"),
        (json!({"name": 7}), "/name"),
        (json!({"name": ""}), "/name"),
        (json!({"name": "x\u{0}"}), "/name"),
        (
            json!({"name": "x", "description": "y".repeat(1025)}),
            "/description",
        ),
        (json!({}), ""),
        (json!([]), ""),
    ] {
        let problem = send(json_type, body.to_string())
            .await
            .problem(422, "invalid_request");
        assert_eq!(pointer(&problem), at, "{body}");
    }
    let page = api.get(PROJECTS).await.expect(200);
    assert_eq!(
        page["items"].as_array().map(Vec::len),
        Some(1),
        "nothing was made"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn platform_endpoints_answer() {
    let api = stack().await.api(None);
    assert_eq!(api.get("/livez").await.text, "ok\n");
    let ready = api.get("/readyz").await.expect(200);
    for name in ["nats", "policies", "postgres", "redis", "temporal"] {
        assert!(ready["dependencies"][name].is_string(), "{name}");
    }
    let served = api.get("/openapi.json").await;
    let committed = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join("doc/api/openapi.json");
    let committed = std::fs::read_to_string(committed).expect("the committed document");
    assert!(
        served.text == committed,
        "the document that is served is the committed one"
    );
    // An answered request is in the metrics, under its template.
    api.get("/api/v1/projects/proj_x")
        .await
        .problem(401, "credentials_required");
    let metrics = api.get("/metrics").await;
    for line in [
        "http_request_duration_seconds_count",
        "route=\"/api/v1/projects/{id}\"",
        "auth_failures_total{reason=\"missing\"}",
    ] {
        assert!(metrics.text.contains(line), "no {line}");
    }
}
