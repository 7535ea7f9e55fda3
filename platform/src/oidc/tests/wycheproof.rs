//! JWT-02: the JOSE vectors go through our own seam. What is published as invalid is refused
//! without exception; of what is valid we refuse what JWT-01 does: shared secrets, encryption,
//! curves that nobody allowed, keys without `use`.

use domain::jwt::{Algorithm, KeySet};
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::accept;

const FILES: [(&str, usize, &str); 3] = [
    (
        "json_web_signature",
        401,
        include_str!("../../../../tests/vectors/wycheproof/json_web_signature_test.json"),
    ),
    (
        "json_web_key",
        26,
        include_str!("../../../../tests/vectors/wycheproof/json_web_key_test.json"),
    ),
    (
        "json_web_crypto",
        83,
        include_str!("../../../../tests/vectors/wycheproof/json_web_crypto_test.json"),
    ),
];

/// The group's key or keys as a provider would publish them.
fn published(group: &Value) -> KeySet {
    let keys = group.get("public").or(group.get("private")).expect("a key");
    let set = match keys.get("keys") {
        Some(_) => keys.clone(),
        None => json!({ "keys": [keys] }),
    };
    KeySet::parse(set.to_string().as_bytes()).expect("a set")
}

#[test]
fn jwt_02_wycheproof_accepts_nothing_invalid() {
    let (mut accepted_invalid, mut accepted) = (Vec::new(), 0);
    for (file, count, text) in FILES {
        let vectors: Value = serde_json::from_str(text).expect("vectors");
        let mut seen = 0;
        for group in vectors["testGroups"].as_array().expect("groups") {
            let keys = published(group);
            for test in group["tests"].as_array().expect("tests") {
                seen += 1;
                let token = test.get("jws").or(test.get("jwe")).expect("a token");
                // Some are in the JSON form, which is nothing that a header could carry.
                let token = token.as_str().map_or(token.to_string(), ToOwned::to_owned);
                let passed = accept(&token, &keys, Algorithm::VARIANTS).is_ok();
                if passed && test["result"] != "valid" {
                    accepted_invalid.push(format!("{file} {}: {}", test["tcId"], test["comment"]));
                }
                accepted += usize::from(passed);
            }
        }
        assert_eq!(seen, count, "{file}");
    }
    assert_eq!(accepted_invalid, [""; 0]);
    // The seam is not merely closed: every valid vector whose key says `use: sig`, and whose
    // algorithm could be allowed, passes.
    assert_eq!(accepted, ACCEPTED);
}

const ACCEPTED: usize = 21;
