//! Keys that are replaced: in time, and as they were stolen.

use std::time::Duration;

use serde_json::{Value, json};
use tests::{Stack, Tenant, eventually, rough_stack};

const LIMIT: Duration = Duration::from_mins(3);
const PATH: &str = "/api/v1/admin/rotations";

pub(crate) async fn ask(stack: &Stack, kind: &str, mode: &str) -> Value {
    let body = json!({"kind": kind, "mode": mode, "reason": "a drill"});
    stack.admin().post(PATH, &body).await.expect(202)
}

/// The rotation of an operation that has ended.
pub(crate) async fn ended(stack: &Stack, asked: &Value) -> Value {
    stack.admin().finished(asked, LIMIT).await;
    let url = asked["resource"]["url"].as_str().expect("an address");
    stack.admin().get(url).await.expect(200)
}

pub(crate) async fn set(stack: &Stack, policy: &str, value: i64) {
    let path = format!("/api/v1/admin/policies/{policy}");
    let body = json!({"scope": "platform", "value": value});
    stack.admin().put(&path, &body).await.expect(200);
}

/// Nothing is waited for.
pub(crate) async fn at_once(stack: &Stack) {
    set(stack, "rotation.publish_seconds", 0).await;
    set(stack, "rotation.jwt_signer_overlap_seconds", 0).await;
    set(stack, "rotation.terminal_signer_overlap_seconds", 0).await;
}

async fn published(stack: &Stack) -> Vec<String> {
    let set = stack.api(None).get("/.well-known/jwks.json").await;
    let keys = set.json()["keys"].as_array().expect("keys").clone();
    let kid = |key: &Value| key["kid"].as_str().expect("a name").to_owned();
    keys.iter().map(kid).collect()
}

/// What `berth rotate verify` says, and how it ends.
async fn verify(stack: &Stack, rotation: &Value) -> (bool, String) {
    let id = rotation["id"].as_str().expect("an id");
    let done = stack.berth(&["rotate", "verify", id]).await;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    (done.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_replaced_in_time() {
    let stack = rough_stack().await;
    at_once(&stack).await;
    for kind in ["jwt_signer", "terminal_signer"] {
        let asked = ask(&stack, kind, "scheduled").await;
        let rotation = ended(&stack, &asked).await;
        assert_eq!(rotation["outcome"], "succeeded", "{rotation}");
        assert_ne!(rotation["old_key"], rotation["new_key"]);
        let kid = |member: &str| rotation[member].as_str().expect("a name").to_owned();
        eventually("the replicas have seen it", LIMIT, || async {
            let now = published(&stack).await;
            (now.contains(&kid("new_key")) && !now.contains(&kid("old_key"))).then_some(())
        })
        .await;
        let (proved, text) = verify(&stack, &rotation).await;
        assert!(proved, "{text}");
        let workflow = format!(
            "rotation/{kind}/{}",
            rotation["id"].as_str().expect("an id")
        );
        stack.record("key_rotation_scheduled", &workflow).await;
    }
    // Evidence that somebody wrote anew is none.
    let pool = stack.database().await;
    let id: String = sqlx::query_scalar(
        "select 'rot_' || replace(id::text, '-', '') from rotations order by id desc limit 1",
    )
    .fetch_one(&pool)
    .await
    .expect("a rotation");
    let path = format!("{PATH}/{id}");
    let seen = stack.admin().get(&path).await.expect(200);
    assert_eq!(seen["evidence"]["reason"], "a drill", "{seen}");
    stack.owner().get(&path).await.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_key_ends_at_once_and_what_it_signed_is_signed_anew() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    let id = active(&stack, &tenant).await;
    let receipt = async || tenant.allocation(&id).await["nodes"][0]["receipt"].clone();
    let before = receipt().await;
    // What somebody wrote into a row gets no signature.
    let other = active(&stack, &tenant).await;
    sqlx::query(
        "update allocation_nodes set receipt = jsonb_set(receipt, '{boot_id}', '\"else\"')
         where allocation_id = $1::uuid",
    )
    .bind(other.trim_start_matches("alloc_"))
    .execute(&stack.database().await)
    .await
    .expect("a changed receipt");
    // The key that is stolen signs no more, and serves.
    at_once(&stack).await;
    set(&stack, "rotation.jwt_signer_overlap_seconds", 604_800).await;
    let serving = ask(&stack, "jwt_signer", "scheduled").await;
    let url = serving["resource"]["url"].as_str().expect("an address");
    eventually("another key signs", LIMIT, || async {
        let now = stack.admin().get(url).await.expect(200);
        now["activated_at"].is_string().then_some(())
    })
    .await;

    let asked = ask(&stack, "jwt_signer", "break_glass").await;
    stack.kill("worker");
    let rotation = ended(&stack, &asked).await;
    assert_eq!(rotation["outcome"], "succeeded", "{rotation}");
    let ended_keys = rotation["ended_keys"].as_array().expect("keys");
    assert!(ended_keys.contains(&before["kid"]), "{rotation}");
    assert!(ended_keys.contains(&rotation["old_key"]), "{rotation}");
    assert_eq!(rotation["documents_refused"], 1, "{rotation}");
    assert!(
        rotation["documents_resigned"].as_i64() >= Some(1),
        "{rotation}"
    );
    let targets = rotation["evidence"]["targets"].as_array().expect("targets");
    assert_eq!(targets.len(), 2, "{rotation}");
    assert!(
        targets.iter().all(|target| target["met"] == true),
        "{rotation}"
    );

    let after = receipt().await;
    assert_eq!(after["kid"], rotation["new_key"], "{after}");
    assert_eq!(after["gpus"], before["gpus"], "only its signature is new");
    let left: i64 =
        sqlx::query_scalar("select count(*) from allocation_nodes where receipt ->> 'kid' = $1")
            .bind(before["kid"].as_str())
            .fetch_one(&stack.database().await)
            .await
            .expect("a count");
    assert_eq!(
        left, 1,
        "nothing but what it never signed names the old key"
    );
    eventually("the replicas have seen it", LIMIT, || async {
        let now = published(&stack).await;
        let old = before["kid"].as_str().expect("a name");
        (!now.iter().any(|kid| kid == old)).then_some(())
    })
    .await;
    let (proved, text) = verify(&stack, &rotation).await;
    assert!(proved, "{text}");
    let checked = stack
        .berth(&["alloc", "receipt", &id, "--api-key", &tenant.key])
        .await;
    assert!(checked.status.success(), "{checked:?}");
    let workflow = format!(
        "rotation/jwt_signer/{}",
        rotation["id"].as_str().expect("an id")
    );
    stack.record("key_rotation_break_glass", &workflow).await;
    // What a step signs with a key that was revoked meanwhile is refused, and signed again.
    let late = sqlx::query("update allocation_nodes set receipt = $1 where receipt ->> 'kid' = $2")
        .bind(&before)
        .bind(after["kid"].as_str())
        .execute(&stack.database().await)
        .await;
    assert!(late.is_err(), "a receipt of a revoked key was taken");
    stack
        .cancel_workflow(serving["workflow"]["id"].as_str().expect("an id"))
        .await;
    assert_eq!(ended(&stack, &serving).await["outcome"], "called_off");
    at_once(&stack).await;
    for id in [id, other] {
        let path = format!("/api/v1/allocations/{id}");
        tenant.api.delete(&path).await.expect(202);
        tenant.api.allocation_in(&id, &["released"], LIMIT).await;
    }
}

async fn active(stack: &Stack, tenant: &Tenant) -> String {
    let made = tenant.create_allocation(stack, 1).await.expect(202);
    let done = tenant.api.finished(&made, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    made["resource"]["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn breaking_glass_waits_for_nobody() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    at_once(&stack).await;
    set(&stack, "rotation.publish_seconds", 604_800).await;
    let slow = ask(&stack, "terminal_signer", "scheduled").await;
    let body = json!({"kind": "terminal_signer", "mode": "scheduled", "reason": "again"});
    stack
        .admin()
        .post(PATH, &body)
        .await
        .problem(409, "conflict");
    let url = slow["resource"]["url"].as_str().expect("an address");
    eventually("its next key is named", LIMIT, || async {
        let now = stack.admin().get(url).await.expect(200);
        now["new_key"].is_string().then_some(())
    })
    .await;
    let glass = ask(&stack, "terminal_signer", "break_glass").await;
    let glass = ended(&stack, &glass).await;
    assert_eq!(glass["outcome"], "succeeded", "{glass}");
    let waiting = stack.admin().get(url).await.expect(200);
    assert_ne!(
        waiting["new_key"], glass["new_key"],
        "its next key was made anew"
    );
    // The one that waited cannot let a revoked key sign.
    stack
        .cancel_workflow(slow["workflow"]["id"].as_str().expect("an id"))
        .await;
    let waited = ended(&stack, &slow).await;
    assert_eq!(waited["outcome"], "called_off", "{waited}");
    let retry = format!(
        "/api/v1/admin/operations/{}:retry",
        slow["id"].as_str().expect("an id")
    );
    let why = json!({"reason": "it should go on"});
    stack
        .admin()
        .post(&retry, &why)
        .await
        .problem(409, "conflict");
    let (proved, text) = verify(&stack, &waited).await;
    assert!(!proved, "{text}");
    at_once(&stack).await;
    let next = ask(&stack, "terminal_signer", "scheduled").await;
    assert_eq!(ended(&stack, &next).await["outcome"], "succeeded");

    tenant.api.post(PATH, &body).await.problem(403, "forbidden");
    for (kind, mode, reason) in [
        ("kms", "scheduled", "x"),
        ("jwt_signer", "slowly", "x"),
        ("jwt_signer", "scheduled", ""),
    ] {
        let bad = json!({"kind": kind, "mode": mode, "reason": reason});
        stack
            .admin()
            .post(PATH, &bad)
            .await
            .problem(422, "invalid_request");
    }
}
