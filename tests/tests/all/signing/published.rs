//! `/.well-known/jwks.json`

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::signing_key::Purpose;
use reqwest::Method;
use sha2::{Digest as _, Sha256};
use tests::signer::role_pool;
use tests::{Tenant, eventually, rough_stack, stack};

use super::{LIMIT, active, berth_receipt, jwks, release, text};

const PATH: &str = "/.well-known/jwks.json";

#[tokio::test(flavor = "multi_thread")]
async fn published_keys_are_public_named_by_themselves_and_cacheable() {
    let anybody = stack().await.api(None);
    let answer = anybody.get(PATH).await;
    let set = answer.expect(200);
    assert_eq!(answer.header("content-type"), "application/jwk-set+json");
    assert_eq!(
        answer.header("cache-control"),
        "max-age=60, must-revalidate"
    );
    let keys = set["keys"].as_array().expect("keys");
    // Of each purpose the one that signs and the one that will.
    for purpose in Purpose::ALL {
        let of_purpose = keys
            .iter()
            .filter(|key| key["berth_purpose"] == purpose.as_str());
        assert!(of_purpose.count() >= 2, "{set}");
    }
    for key in keys {
        assert!(key["d"].is_null(), "a private member: {key}");
        assert_eq!((text(&key["kty"]), text(&key["crv"])), ("OKP", "Ed25519"));
        assert_eq!((text(&key["alg"]), text(&key["use"])), ("EdDSA", "sig"));
        // RFC 7638, computed here once more.
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":{}}}"#, key["x"]);
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
        assert_eq!(key["kid"], thumbprint);
    }
    let etag = answer.header("etag");
    for known in [
        etag.to_owned(),
        format!("\"other\", W/{etag}"),
        "*".to_owned(),
    ] {
        let request = anybody
            .request(Method::GET, PATH)
            .header("if-none-match", &known);
        let again = anybody.send(request).await;
        assert_eq!(
            (again.status.as_u16(), again.text.as_str()),
            (304, ""),
            "{known}"
        );
        assert_eq!(again.header("etag"), etag);
    }
    let request = anybody
        .request(Method::GET, PATH)
        .header("if-none-match", "\"other\"");
    anybody.send(request).await.expect(200);
}

/// A key that is replaced still proves what it signed; one that is revoked proves nothing, on
/// every process within the age of its copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_keeps_receipts_and_a_revocation_ends_them() {
    let stack = rough_stack().await;
    let tenant = Tenant::new(&stack).await;
    let allocation = active(&stack, &tenant).await;
    let signed_by = text(&allocation["nodes"][0]["receipt"]["kid"]).to_owned();
    assert_eq!(berth_receipt(&stack, &tenant, &allocation).await.0, Some(0));

    let mut conn = role_pool(&stack, "worker")
        .await
        .acquire()
        .await
        .expect("a connection");
    let mut rotation = sqlx::Connection::begin(&mut *conn)
        .await
        .expect("a transaction");
    let next = db::signing_key::promote(&mut rotation, Purpose::JwtSigner).await;
    let next = next.expect("no error").expect("the next key is there");
    rotation.commit().await.expect("committed");
    let next_again = "another next key is published";
    eventually(next_again, LIMIT, || async {
        let set = jwks(&stack).await.to_string();
        let receipts = set.matches("jwt_signer").count();
        (set.contains(&signed_by) && set.contains(next.as_str()) && receipts >= 3).then_some(())
    })
    .await;
    let (code, said) = berth_receipt(&stack, &tenant, &allocation).await;
    assert_eq!(code, Some(0), "{said}");
    let later = active(&stack, &tenant).await;
    assert_eq!(later["nodes"][0]["receipt"]["kid"], next.as_str());

    let kid = signed_by.parse().expect("a name");
    assert!(
        db::signing_key::revoke(&mut conn, &kid)
            .await
            .expect("revoked")
    );
    eventually("the revoked key is gone", LIMIT, || async {
        (!jwks(&stack).await.to_string().contains(&signed_by)).then_some(())
    })
    .await;
    let (code, said) = berth_receipt(&stack, &tenant, &allocation).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("none of the published keys"), "{said}");
    assert_eq!(berth_receipt(&stack, &tenant, &later).await.0, Some(0));
    release(&tenant, &allocation).await;
    release(&tenant, &later).await;
}
