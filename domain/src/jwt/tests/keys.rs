//! Which published keys can sign tokens.

use super::*;

fn rsa(bits: usize) -> Value {
    let mut n = vec![0xff; bits / 8];
    n[0] = 0x80;
    json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(n), "e": "AQAB", "use": "sig", "kid": "r"})
}

fn ec() -> Value {
    let coordinate = URL_SAFE_NO_PAD.encode([7; 32]);
    json!({"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate, "use": "sig", "kid": "e"})
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).expect("a set")
}

fn algorithm(key: Value) -> Option<Algorithm> {
    let id = key["kid"].as_str().map(ToOwned::to_owned);
    set(&[key]).get(&id?).map(|key| key.algorithm)
}

#[test]
fn jwt_01_a_key_is_for_one_algorithm() {
    assert_eq!(algorithm(ec()), Some(Algorithm::ES256));
    assert_eq!(algorithm(rsa(2048)), Some(Algorithm::RS256));
    let pss = with(rsa(2048), "alg", json!("PS384"));
    assert_eq!(algorithm(pss), Some(Algorithm::PS384));
    for (name, member) in [
        ("alg", json!("ES384")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("alg", json!(1)),
        ("use", json!("enc")),
        ("use", json!(null)),
        ("kid", json!(null)),
        ("kid", json!("")),
        ("crv", json!("P-384")),
        ("crv", json!("P-521")),
        ("kty", json!("RSA")),
        ("kty", json!("oct")),
        ("x", json!("AA")),
        ("y", json!(null)),
        ("d", json!("AA")),
    ] {
        let key = with(ec(), name, member.clone());
        assert_eq!(algorithm(key), None, "{name} {member}");
    }
}

#[test]
fn jwt_01_short_and_odd_rsa_keys_sign_nothing() {
    assert_eq!(algorithm(rsa(1024)), None);
    assert_eq!(algorithm(rsa(2040)), None);
    assert_eq!(algorithm(rsa(16_384)), None);
    let padded = [vec![0], vec![0xff; 256]].concat();
    let padded = with(rsa(2048), "n", json!(URL_SAFE_NO_PAD.encode(padded)));
    assert_eq!(algorithm(padded), None);
    assert_eq!(algorithm(with(rsa(2048), "e", json!(""))), None);
    assert_eq!(algorithm(with(rsa(2048), "n", json!("a+b="))), None);
}

#[test]
fn jwt_01_an_ambiguous_key_id_names_no_key() {
    let both = set(&[ec(), with(rsa(2048), "kid", json!("e"))]);
    assert!(both.get("e").is_none());
    assert_eq!(both.skipped, 2);
    let unusable = set(&[
        ec(),
        with(with(ec(), "use", json!("enc")), "kid", json!("e")),
    ]);
    assert!(unusable.get("e").is_none());
    let apart = set(&[ec(), rsa(2048)]);
    assert_eq!(apart.ids().collect::<Vec<_>>(), ["e", "r"]);
}

#[test]
fn a_set_is_a_list_of_reasonable_length() {
    let keys = |n: usize| json!({ "keys": vec![ec(); n] }).to_string();
    assert_eq!(KeySet::parse(b"[]"), Err(KeySetError::Json));
    assert_eq!(
        KeySet::parse(br#"{"keys":[],"keys":[]}"#),
        Err(KeySetError::Json)
    );
    assert_eq!(KeySet::parse(b"{}"), Err(KeySetError::Keys));
    assert_eq!(KeySet::parse(keys(101).as_bytes()), Err(KeySetError::Keys));
    assert!(KeySet::parse(b"{\"keys\":[]}").expect("empty").is_empty());
}
