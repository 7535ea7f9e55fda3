//! Receipts hold by themselves: whoever has the published keys can tell.

use std::panic::AssertUnwindSafe;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use tests::signer::role_pool;
use tests::{Stack, Tenant, eventually, rough_stack, stack};

use super::{LIMIT, active, berth_receipt, jwks, release, text};

/// A verifier that shares no code with Berth but *ring*: RFC 7515 with detached content, RFC 8785.
fn holds(receipt: &Value, set: &Value) -> bool {
    let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).ok();
    let verify = || -> Option<bool> {
        let mut content = receipt.as_object()?.clone();
        let jws = content.remove("signature")?;
        let parts: Vec<&str> = jws.as_str()?.split('.').collect();
        let [header, "", signature] = parts[..] else {
            return None;
        };
        let names: Value = serde_json::from_slice(&decode(header)?).ok()?;
        if names["alg"] != "EdDSA" || names["typ"] != "berth-receipt+jws" {
            return None;
        }
        let keys = set["keys"].as_array()?;
        let key = keys.iter().find(|key| key["kid"] == names["kid"])?;
        let payload = serde_json_canonicalizer::to_vec(&content).ok()?;
        let input = format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(payload));
        let key = UnparsedPublicKey::new(&ED25519, decode(key["x"].as_str()?)?);
        Some(key.verify(input.as_bytes(), &decode(signature)?).is_ok())
    };
    verify().unwrap_or(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_holds_by_the_published_keys_alone() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let allocation = active(stack, &tenant).await;
    let (node, set) = (&allocation["nodes"][0], jwks(stack).await);
    let receipt = &node["receipt"];
    assert!(holds(receipt, &set), "{receipt}");
    assert_eq!(receipt["allocation_id"], allocation["id"]);
    assert_eq!(receipt["node_id"], node["id"]);
    assert_eq!(receipt["gpus"][0]["uuid"], node["gpus"][0]["uuid"]);
    for member in ["checked_at", "boot_id", "driver_version", "kid"] {
        assert!(receipt[member].is_string(), "no {member}: {receipt}");
    }
    // Whatever is changed, added or left out, it holds no longer.
    let members = receipt.as_object().expect("an object");
    for name in members.keys() {
        let mut changed = members.clone();
        changed.remove(name);
        assert!(!holds(&json!(changed), &set), "without {name}");
        changed.insert(name.clone(), json!("else"));
        assert!(!holds(&json!(changed), &set), "another {name}");
    }
    let mut more = members.clone();
    more.insert("note".to_owned(), json!(""));
    assert!(!holds(&json!(more), &set));
    release(&tenant, &allocation).await;
}

async fn set_receipt(stack: &Stack, allocation: &Value, receipt: &Value) {
    let id = text(&allocation["id"]).trim_start_matches("alloc_");
    let done =
        sqlx::query("update allocation_nodes set receipt = $2 where allocation_id = $1::uuid")
            .bind(id)
            .bind(receipt)
            .execute(&stack.database().await)
            .await
            .expect("the row");
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn berth_alloc_receipt_tells_a_true_one_from_a_changed_one() {
    let stack = stack().await;
    let tenant = Tenant::new(stack).await;
    let (one, other) = (active(stack, &tenant).await, active(stack, &tenant).await);
    let receipt = one["nodes"][0]["receipt"].clone();
    let (code, said) = berth_receipt(stack, &tenant, &one).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("holds") && said.contains(text(&receipt["kid"])),
        "{said}"
    );

    let mut forged = receipt.clone();
    forged["gpus"][0]["ecc_uncorrected_errors"] = json!(7);
    let mut unsigned = receipt.clone();
    unsigned
        .as_object_mut()
        .expect("an object")
        .remove("signature");
    for (changed, flaw) in [
        (forged, "its key did not sign this"),
        (unsigned, "it is not an object with the member"),
        (other["nodes"][0]["receipt"].clone(), "another allocation"),
    ] {
        set_receipt(stack, &one, &changed).await;
        let (code, said) = berth_receipt(stack, &tenant, &one).await;
        assert_eq!(code, Some(1), "{said}");
        assert!(
            said.contains("DOES NOT HOLD") && said.contains(flaw),
            "{said}"
        );
    }
    release(&tenant, &one).await;
    let (code, said) = berth_receipt(stack, &tenant, &one).await;
    assert_eq!(code, Some(1));
    assert!(said.contains("has no receipt"), "{said}");
    release(&tenant, &other).await;
}

/// Exchanges the sealed seeds of the two keys that sign: neither opens in the other's row.
async fn exchange_seeds(stack: &Stack) {
    let sql =
        "with active as (select kid, private_key_enc from signing_keys where state = 'active')
               update signing_keys k set private_key_enc = other.private_key_enc
               from active other where k.state = 'active' and other.kid <> k.kid";
    let pool = role_pool(stack, "worker").await;
    let done = sqlx::query(sql).execute(&pool).await.expect("both rows");
    assert_eq!(done.rows_affected(), 2);
}

/// A worker that cannot sign neither hands over nor blames the machine: it tries again.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_key_nothing_is_handed_over_unsigned() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    jwks(&stack).await;
    exchange_seeds(&stack).await;
    // The seeds go back whatever is seen: the tests that follow sign with them.
    let seen = AssertUnwindSafe(held_up(&stack, &tenant))
        .catch_unwind()
        .await;
    exchange_seeds(&stack).await;
    let operation = seen.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    let done = tenant.api.finished(&operation, LIMIT).await;
    assert_eq!(done["state"], "succeeded", "{done}");
    let id = text(&operation["resource"]["id"]);
    let allocation = tenant.allocation(id).await;
    let (code, said) = berth_receipt(&stack, &tenant, &allocation).await;
    assert_eq!(code, Some(0), "{said}");
    let nodes = stack.nodes().await;
    assert!(
        nodes.iter().all(|node| node["state"] == "available"),
        "{nodes:?}"
    );
    release(&tenant, &allocation).await;
    stack.assert_clean(id).await;
}

/// Asks for GPUs of a worker that cannot sign, and watches it try twice.
async fn held_up(stack: &Stack, tenant: &Tenant) -> Value {
    // A worker that starts now has no seed in memory.
    let before = stack.pid("worker");
    stack.kill("worker");
    eventually("another worker", LIMIT, || async {
        (stack.pid("worker") != before && stack.alive("worker")).then_some(())
    })
    .await;
    let operation = tenant.create_allocation(stack, 1).await.expect(202);
    let path = format!("/api/v1/operations/{}", text(&operation["id"]));
    eventually("a second try to accept", LIMIT, || async {
        let operation = tenant.api.get(&path).await.expect(200);
        let steps = operation["steps"].as_array()?;
        let accept = steps.iter().find(|step| step["name"] == "accept")?;
        let open = ["pending", "running"].contains(&accept["state"].as_str()?);
        assert!(open, "{operation}");
        (accept["attempt"].as_i64()? >= 2).then_some(())
    })
    .await;
    let id = text(&operation["resource"]["id"]);
    let allocation = tenant.allocation(id).await;
    assert_eq!(allocation["state"], "provisioning", "{allocation}");
    assert!(allocation["nodes"][0]["receipt"].is_null(), "{allocation}");
    operation
}
