//! Each step of JWT-01 refuses by its own name, and nothing but a sound token passes.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use strum::VariantArray as _;

use super::*;

mod fuzz;
mod keys;

const NOW: i64 = 1_800_000_000;

fn rules() -> Rules {
    Rules {
        issuer: "https://id.example".to_owned(),
        audience: "https://api.example".to_owned(),
        token_type: TokenType::Access,
        algorithms: vec![Algorithm::ES256],
        clients: vec!["cli".to_owned()],
    }
}

fn header() -> Value {
    json!({"typ": "at+jwt", "alg": "ES256", "kid": "one"})
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example", "aud": ["other", "https://api.example"], "sub": "ada",
        "client_id": "cli", "iat": NOW - 60, "exp": NOW + 240, "jti": "t1", "sid": "s1",
    })
}

fn with(mut value: Value, name: &str, member: Value) -> Value {
    if member.is_null() {
        value.as_object_mut().expect("an object").remove(name);
    } else {
        value[name] = member;
    }
    value
}

fn key_set() -> KeySet {
    let coordinate = URL_SAFE_NO_PAD.encode([7; 32]);
    let key = json!({"kty": "EC", "crv": "P-256", "x": coordinate, "y": coordinate,
        "use": "sig", "alg": "ES256", "kid": "one"});
    KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).expect("a set")
}

fn token(header: &str, claims: &str) -> String {
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([9; 64]))
}

/// Everything but the signature, which this room cannot check.
fn read(token: &str) -> Result<Claims, Reject> {
    let rules = rules();
    let compact = Compact::parse(token)?;
    let statement = Statement::read(&compact, &rules)?;
    let keys = key_set();
    let key = compact.key(&keys, &rules.algorithms)?;
    statement.check(&key.id, &rules, NOW)
}

fn of(header: &Value, claims: &Value) -> Result<Claims, Reject> {
    read(&token(&header.to_string(), &claims.to_string()))
}

#[test]
fn jwt_01_a_sound_token_passes() {
    let read = of(&header(), &claims()).expect("sound");
    assert_eq!(
        (read.subject.as_str(), read.key_id.as_str()),
        ("ada", "one")
    );
    assert_eq!(read.token_id.as_deref(), Some("t1"));
    let spelled = with(header(), "typ", json!("application/AT+JWT"));
    assert!(
        of(
            &spelled,
            &with(claims(), "aud", json!("https://api.example"))
        )
        .is_ok()
    );
}

#[test]
fn jwt_01_size_segments_and_alphabet() {
    let good = token(&header().to_string(), &claims().to_string());
    let long = with(claims(), "x", json!("x".repeat(MAX_TOKEN_BYTES)));
    assert_eq!(of(&header(), &long), Err(Reject::TooLarge));
    for odd in [
        "",
        "a",
        "a.b",
        &format!("{good}."),
        &format!("{good}.YQ"),
        &format!(".{good}"),
    ] {
        assert_eq!(read(odd), Err(Reject::Segments), "{odd}");
    }
    let parts: Vec<&str> = good.split('.').collect();
    for at in 0..3 {
        for spoil in ["=", " ", "\n", "+", "/", "?", "%", "\u{e9}"] {
            for place in [0, parts[at].len() / 2, parts[at].len()] {
                let mut parts: Vec<String> = parts.iter().map(|p| (*p).to_owned()).collect();
                parts[at].insert_str(place, spoil);
                assert_eq!(
                    read(&parts.join(".")),
                    Err(Reject::Base64),
                    "{spoil:?} in {at}"
                );
            }
        }
    }
    for engine in [&STANDARD, &URL_SAFE] {
        let other = format!("{}.{}.{}", parts[0], parts[1], engine.encode([0xfb; 64]));
        assert_eq!(read(&other), Err(Reject::Base64));
    }
    // 64 bytes leave four bits of the last digit unused: `A` and `B` would be the same bytes.
    let stray = format!("{}.{}.{}B", parts[0], parts[1], "A".repeat(85));
    assert_eq!(read(&stray), Err(Reject::Base64));
}

#[test]
fn jwt_01_a_header_says_each_thing_once() {
    let claims = claims().to_string();
    for odd in [
        "",
        "[]",
        "\"x\"",
        "null",
        "{",
        "{} {}",
        r#"{"alg":"ES256","alg":"ES256","kid":"one","typ":"at+jwt"}"#,
        r#"{"alg":"none","\u0061lg":"ES256","kid":"one","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","kid":"one","typ":"at+jwt","x":{"y":1,"y":2}}"#,
        r#"{"alg":"ES256","kid":"one","typ":"at+jwt","x":[{"y":1,"y":1}]}"#,
    ] {
        assert_eq!(read(&token(odd, &claims)), Err(Reject::HeaderJson), "{odd}");
    }
    let deep = format!("{{\"alg\":{}1{}}}", "[".repeat(500), "]".repeat(500));
    assert_eq!(read(&token(&deep, &claims)), Err(Reject::HeaderJson));
}

#[test]
fn jwt_01_a_token_brings_no_key_of_its_own() {
    for name in ["jku", "x5u", "x5c", "jwk", "zip", "b64", "crit"] {
        for value in [
            json!("https://evil.example"),
            json!(true),
            json!([]),
            json!({}),
        ] {
            let odd = with(header(), name, value);
            assert_eq!(of(&odd, &claims()), Err(Reject::HeaderMember), "{odd}");
        }
    }
}

#[test]
fn jwt_01_type_issuer_algorithm_and_key() {
    for odd in [
        json!(null),
        json!("JWT"),
        json!("at"),
        json!("text/at+jwt"),
        json!(1),
    ] {
        assert_eq!(
            of(&with(header(), "typ", odd), &claims()),
            Err(Reject::Type)
        );
    }
    for odd in [
        json!(null),
        json!("https://id.example/"),
        json!("HTTPS://id.example"),
        json!(["https://id.example"]),
    ] {
        assert_eq!(
            of(&header(), &with(claims(), "iss", odd)),
            Err(Reject::Issuer)
        );
    }
    for odd in [
        json!(null),
        json!("none"),
        json!("HS256"),
        json!("es256"),
        json!("RS256"),
        json!(["ES256"]),
    ] {
        assert_eq!(
            of(&with(header(), "alg", odd), &claims()),
            Err(Reject::Algorithm)
        );
    }
    for odd in [
        json!(null),
        json!(""),
        json!("k".repeat(129)),
        json!("a\u{0}b"),
        json!(7),
    ] {
        assert_eq!(
            of(&with(header(), "kid", odd), &claims()),
            Err(Reject::KeyId)
        );
    }
    let other = with(header(), "kid", json!("two"));
    assert_eq!(of(&other, &claims()), Err(Reject::UnknownKey));
    for odd in [
        "x",
        "[]",
        r#"{"iss":"https://id.example","iss":"https://id.example"}"#,
    ] {
        let token = token(&header().to_string(), odd);
        assert_eq!(read(&token), Err(Reject::ClaimsJson), "{odd}");
    }
}

#[test]
fn jwt_01_claims_are_judged_by_the_given_clock() {
    let cases = [
        ("aud", json!(null), Reject::Audience),
        ("aud", json!("https://api.example/"), Reject::Audience),
        ("aud", json!([]), Reject::Audience),
        ("aud", json!([["https://api.example"]]), Reject::Audience),
        ("exp", json!(null), Reject::Times),
        ("exp", json!("1800000240"), Reject::Times),
        ("exp", json!(1_800_000_240.5), Reject::Times),
        ("exp", json!(-1), Reject::Times),
        ("exp", json!(u64::MAX), Reject::Times),
        ("exp", json!(NOW), Reject::Expired),
        ("exp", json!(NOW - 1), Reject::Expired),
        ("iat", json!(null), Reject::Times),
        ("iat", json!(NOW + 31), Reject::NotYet),
        ("nbf", json!(NOW + 31), Reject::NotYet),
        ("nbf", json!("now"), Reject::Times),
        ("exp", json!(NOW - 60 + 3601), Reject::Lifetime),
        ("sub", json!(null), Reject::Subject),
        ("sub", json!(""), Reject::Subject),
        ("sub", json!(7), Reject::Subject),
        ("sub", json!("a\u{0}b"), Reject::Subject),
        ("client_id", json!(null), Reject::Client),
        ("client_id", json!("other"), Reject::Client),
        ("azp", json!("other"), Reject::Client),
        ("azp", json!(1), Reject::Client),
        ("jti", json!({}), Reject::ClaimsJson),
    ];
    for (name, member, reject) in cases {
        let claims = with(claims(), name, member.clone());
        assert_eq!(of(&header(), &claims), Err(reject), "{name} {member}");
    }
    for (name, member) in [
        ("exp", json!(NOW + 1)),
        ("exp", json!(NOW - 60 + 3600)),
        ("iat", json!(NOW + 30)),
        ("nbf", json!(NOW + 30)),
        ("azp", json!("cli")),
    ] {
        let claims = with(claims(), name, member.clone());
        assert!(of(&header(), &claims).is_ok(), "{name} {member}");
    }
}

#[test]
fn jwt_01_what_was_revoked_is_refused() {
    let claims = of(&header(), &claims()).expect("sound");
    let none = Denials::default();
    assert_eq!(claims.denied(none), Ok(()));
    let cases = [
        (Denials { key: true, ..none }, Reject::RevokedKey),
        (
            Denials {
                token: true,
                ..none
            },
            Reject::RevokedToken,
        ),
        (
            Denials {
                session: true,
                ..none
            },
            Reject::RevokedSession,
        ),
        (
            Denials {
                not_before: Some(NOW - 59),
                ..none
            },
            Reject::IssuedBefore,
        ),
    ];
    for (denials, reject) in cases {
        assert_eq!(claims.denied(denials), Err(reject));
    }
    let just = Denials {
        not_before: Some(NOW - 60),
        ..none
    };
    assert_eq!(claims.denied(just), Ok(()));
}

#[test]
fn jwt_01_an_id_token_is_for_its_client_and_for_nothing_else() {
    let rules = Rules {
        audience: "web".to_owned(),
        token_type: TokenType::Id,
        clients: Vec::new(),
        ..rules()
    };
    let read = |header: Value, claims: Value| {
        let token = token(&header.to_string(), &claims.to_string());
        let compact = Compact::parse(&token)?;
        Statement::read(&compact, &rules)?.check("one", &rules, NOW)
    };
    let (jwt, own) = (
        with(header(), "typ", json!("JWT")),
        with(claims(), "aud", json!("web")),
    );
    let several = with(claims(), "aud", json!(["web", "other"]));
    for (header, claims) in [
        (jwt.clone(), own.clone()),
        (with(header(), "typ", Value::Null), own.clone()),
        // A provider may let it live for long: it is looked at once.
        (jwt.clone(), with(own.clone(), "exp", json!(NOW + 36_000))),
        (jwt.clone(), with(own.clone(), "azp", json!("web"))),
        (jwt.clone(), with(several.clone(), "azp", json!("web"))),
    ] {
        assert!(read(header, claims.clone()).is_ok(), "{claims}");
    }
    for (header, claims, reject) in [
        (header(), own.clone(), Reject::Type),
        (jwt.clone(), claims(), Reject::Audience),
        (jwt.clone(), several, Reject::Client),
        (jwt.clone(), with(own, "azp", json!("cli")), Reject::Client),
    ] {
        assert_eq!(read(header, claims.clone()), Err(reject), "{claims}");
    }
    assert_eq!(of(&jwt, &claims()), Err(Reject::Type));
}

#[test]
fn each_reason_has_a_label_of_its_own() {
    let labels: BTreeSet<_> = Reject::VARIANTS
        .iter()
        .map(|reject| reject.as_str())
        .collect();
    assert_eq!(labels.len(), Reject::VARIANTS.len());
}
