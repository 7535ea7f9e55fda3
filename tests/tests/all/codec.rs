//! What Temporal keeps of workflows is sealed, and who may read it.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use temporalio_client::WorkflowHistory;
use tests::{Api, Stack, Tenant, stack};

use crate::idle::hasty;

/// A finished allocation, and its history as Temporal keeps it.
async fn history(stack: &Stack, tenant: &Tenant) -> (String, String) {
    let answer = tenant
        .api
        .post("/api/v1/allocations", &hasty(stack, tenant).await)
        .await;
    let operation = answer.expect(202);
    tenant
        .api
        .finished(&operation, Duration::from_mins(1))
        .await;
    let id = operation["resource"]["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let client = stack.temporal().await;
    let history = worker::history::fetch(&client, &format!("allocation/{id}"), None).await;
    (id, history.expect("a history"))
}

/// The first payload of a history, as the server keeps it.
fn first_payload(history: &str) -> Value {
    fn find(value: &Value) -> Option<Value> {
        match value {
            Value::Object(members) if members.contains_key("payloads") => {
                members["payloads"].get(0).cloned()
            }
            Value::Object(members) => members.values().find_map(find),
            Value::Array(items) => items.iter().find_map(find),
            _ => None,
        }
    }
    find(&serde_json::from_str(history).expect("JSON")).expect("a payload")
}

async fn call(api: &Api, verb: &str, payload: &Value) -> tests::Answer {
    let request = api
        .request(Method::POST, &format!("/internal/codec/{verb}"))
        .header("x-namespace", "berth")
        .json(&json!({"payloads": [payload]}));
    api.send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn env_08_histories_hold_sealed_payloads_and_still_replay() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, history) = history(stack, &tenant).await;
    let codec = stack.codec().await;
    let kept = serde_json::from_str(&history).expect("JSON");
    let looked = platform::payload::transcode(&kept, &|payload| {
        let encoding = payload.metadata["encoding"].as_slice();
        assert_eq!(encoding, platform::payload::ENCODING.as_bytes());
        assert!(!String::from_utf8_lossy(&payload.data).contains(&id));
        codec.unseal(payload)
    });
    assert!(looked.is_ok());
    let replayer = worker::history::replayer(codec.converter()).expect("a replayer");
    let history = WorkflowHistory::from_json(history.as_bytes()).expect("a history");
    let results = replayer
        .replay_workflows(vec![history])
        .await
        .expect("replays");
    assert!(results.iter().all(|r| r.replay_failure.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_opens_payloads_and_each_use_is_audited() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, history) = history(stack, &tenant).await;
    let sealed = first_payload(&history);
    // Nobody without a key, and no tenant, opens anything.
    call(&stack.api(None), "decode", &sealed)
        .await
        .problem(401, "credentials_required");
    call(&tenant.api, "decode", &sealed)
        .await
        .problem(403, "forbidden");

    let admin = stack.admin();
    let opened = call(&admin, "decode", &sealed).await.expect(200);
    let payload = &opened["payloads"][0];
    assert_eq!(payload["metadata"]["encoding"], "anNvbi9wbGFpbg==");
    let data = base64::Engine::decode(
        &base64::prelude::BASE64_STANDARD,
        payload["data"].as_str().expect("base64"),
    );
    assert!(
        String::from_utf8(data.expect("base64"))
            .expect("JSON")
            .contains(&id)
    );
    // There and back; what was never sealed is given back as it is.
    let again = call(&admin, "encode", payload).await.expect(200);
    assert_ne!(again["payloads"][0], *payload);
    let back = call(&admin, "decode", &again["payloads"][0])
        .await
        .expect(200);
    assert_eq!(back["payloads"][0], *payload);
    assert_eq!(call(&admin, "decode", payload).await.expect(200), back);

    let mut changed = sealed.clone();
    let data = changed["data"].as_str().expect("base64");
    let first = if data.starts_with('A') { "B" } else { "A" };
    changed["data"] = json!(format!("{first}{}", &data[1..]));
    let refused = call(&admin, "decode", &changed).await;
    let problem = refused.problem(422, "invalid_request");
    assert_eq!(problem["errors"][0]["pointer"], "/payloads/0");
    let elsewhere = admin
        .request(Method::POST, "/internal/codec/decode")
        .header("x-namespace", "other")
        .json(&json!({"payloads": [sealed]}));
    admin.send(elsewhere).await.problem(422, "not_supported");

    let request_id = refused.header("x-request-id");
    for (request, outcome) in [
        (back_id(&admin, &sealed).await, "allowed"),
        (request_id.to_owned(), "failed"),
    ] {
        let found: Vec<(String, String)> =
            sqlx::query_as("select action, outcome from audit_logs where request_id = $1")
                .bind(&request)
                .fetch_all(&stack.database().await)
                .await
                .expect("the audit log");
        assert_eq!(found, [("payload.decode".to_owned(), outcome.to_owned())]);
    }
}

async fn back_id(admin: &Api, sealed: &Value) -> String {
    let answer = call(admin, "decode", sealed).await;
    answer.expect(200);
    answer.header("x-request-id").to_owned()
}

/// A page of Temporal's UI may ask and read; a page of any other origin may not.
#[tokio::test(flavor = "multi_thread")]
async fn the_codec_answers_pages_of_the_ui_alone() {
    let stack = stack().await;
    let api = stack.api(None);
    let ui = stack.env("BERTH_TEMPORAL_UI_URL").to_owned();
    let preflight = async |path: &str, origin: &str| {
        let request = api
            .request(Method::OPTIONS, path)
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type,x-namespace",
            );
        api.send(request).await
    };
    let path = "/internal/codec/decode";
    let asked = preflight(path, &ui).await;
    assert_eq!(asked.status, 204);
    assert_eq!(asked.header("access-control-allow-origin"), ui);
    assert!(
        asked
            .header("access-control-allow-headers")
            .contains("authorization")
    );
    let asked = preflight(path, "http://evil.example").await;
    assert_eq!(asked.status, 403);
    assert_eq!(asked.header("access-control-allow-origin"), "");
    // And nothing else of ours.
    let asked = preflight("/api/v1/me", &ui).await;
    assert_eq!(asked.header("access-control-allow-origin"), "");
    // The page may read why it is refused, too.
    let request = api.request(Method::POST, path).header("origin", &ui);
    let refused = api.send(request.json(&json!({"payloads": []}))).await;
    refused.problem(401, "credentials_required");
    assert_eq!(refused.header("access-control-allow-origin"), ui);
    assert_eq!(refused.header("access-control-allow-credentials"), "true");
    let admin = stack.admin();
    let request = admin
        .request(Method::POST, path)
        .header("origin", &ui)
        .json(&json!({"payloads": []}));
    let answer = admin.send(request).await;
    answer.expect(200);
    assert_eq!(answer.header("access-control-allow-origin"), ui);
}

/// Temporal's own command line reads through the codec with an operator's key, and not with another.
#[tokio::test(flavor = "multi_thread")]
async fn temporals_command_line_reads_through_the_codec() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (id, _) = history(stack, &tenant).await;
    let show = async |auth: &str| {
        let mut command =
            tokio::process::Command::new(tests::stack::workspace().join(".dev/venv/bin/temporal"));
        command
            .args(["workflow", "show", "-o", "json", "--workflow-id"])
            .arg(format!("allocation/{id}"))
            .args(["--namespace", "berth", "--address"])
            .arg(stack.env("BERTH_TEMPORAL_ADDRESS"))
            .arg("--codec-endpoint")
            .arg(format!("{}/internal/codec", stack.env("BERTH_API_URL")))
            .args(["--disable-config-file", "--disable-config-env"])
            .args(["--codec-auth", auth]);
        let done = command.output().await.expect("the command runs");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    // The workflow's input, as the API's JSON writes bytes, is in clear for who may open it.
    let input = json!({"allocation_id": id}).to_string();
    let input = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, input);
    let bearer = format!("Bearer {}", stack.env("BERTH_ADMIN_KEY"));
    let with = show(&bearer).await;
    assert!(with.contains(&input), "{with}");
    // With a key that is no operator's it fails, or shows what Temporal keeps. (Without any, it
    // would use up what strangers at this address may ask, which other tests need.)
    let without = show(&format!("Bearer {}", tenant.key)).await;
    assert!(!without.contains(&input), "{without}");
}
