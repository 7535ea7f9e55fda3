//! AK-05: exactly one credential, whatever they are. A client certificate is none: this server
//! ends no TLS, and what a proxy says about one in a header, anybody can say.

use super::*;

const KEY: &str = "berth_abcdefghijkl_s";
const JWT: &str = "e30.e30.e30";

/// How each kind of credential stands in a request.
const KINDS: [(&str, &str, &str); 4] = [
    ("session", "cookie", "a=b; __Host-berth_session=x"),
    ("access token", "authorization", "Bearer e30.e30.e30"),
    ("API key", "authorization", "bearer berth_abcdefghijkl_s"),
    ("certificate", "x-forwarded-client-cert", "Hash=00"),
];

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

/// What each kind is alone.
fn alone(kind: &str) -> Result<Given<'static>, Refusal> {
    match kind {
        "session" => Ok(Given::Session("x")),
        "access token" => Ok(Given::AccessToken(JWT)),
        "API key" => Ok(Given::ApiKey(KEY)),
        _ => Err(Refusal::Missing),
    }
}

#[test]
fn ak_05_four_kinds_by_four_kinds() {
    for (first, name, value) in KINDS {
        assert_eq!(given(&headers(&[(name, value)])), alone(first), "{first}");
        for (second, other_name, other_value) in KINDS {
            let both = headers(&[(name, value), (other_name, other_value)]);
            let wanted = match (first, second) {
                (one, "certificate") | ("certificate", one) => alone(one),
                _ => Err(Refusal::Multiple),
            };
            assert_eq!(given(&both), wanted, "{first} and {second}");
        }
    }
}

#[test]
fn ak_05_what_is_no_credential_does_not_hide_one() {
    let of = |pairs: &[(&'static str, &'static str)]| {
        let headers = headers(pairs);
        given(&headers).map(|given| format!("{given:?}"))
    };
    assert_eq!(of(&[]), Err(Refusal::Missing));
    assert_eq!(
        of(&[("cookie", "berth_session=x; __Host-berth_session2=y")]),
        Err(Refusal::Missing)
    );
    let twice = ("cookie", "__Host-berth_session=x; __Host-berth_session=x");
    assert_eq!(of(&[twice]), Err(Refusal::Multiple));
    let apart = ("cookie", " __Host-berth_session = x");
    assert_eq!(of(&[apart]), Ok("Session(\"x\")".to_owned()));
    // A neighbour's cookie of other bytes hides nothing, and a blank that is none of ASCII's is
    // part of a name.
    let mut hidden = HeaderMap::new();
    for bytes in [
        &b"odd=\xff; __Host-berth_session=x"[..],
        b"\xa0__Host-berth_session=y",
    ] {
        let value = HeaderValue::from_bytes(bytes).expect("a header");
        hidden.append(header::COOKIE, value);
    }
    assert_eq!(given(&hidden), Ok(Given::Session("x")));
    assert_eq!(
        of(&[("authorization", "Basic YTpi")]),
        Err(Refusal::UnknownForm)
    );
    assert_eq!(
        of(&[("authorization", "Bearer")]),
        Err(Refusal::UnknownForm)
    );
    let basic_too = [
        ("authorization", "Bearer a.b.c"),
        ("authorization", "Basic YTpi"),
    ];
    assert_eq!(of(&basic_too), Err(Refusal::Multiple));
}

#[test]
fn jwt_06_two_internal_tokens_are_good_at_once() {
    let expected = ["old".repeat(20), "new".repeat(20)].map(SecretString::from);
    let with = |token: &str| {
        let value = HeaderValue::try_from(format!("Bearer {token}")).expect("a header");
        let headers = [(header::AUTHORIZATION, value)].into_iter().collect();
        internal(&expected, &headers).map_err(|problem| problem.code())
    };
    assert_eq!(with(&"old".repeat(20)), Ok(()));
    assert_eq!(with(&"new".repeat(20)), Ok(()));
    assert_eq!(with(&"old".repeat(19)), Err(Code::InvalidCredentials));
    assert_eq!(with(""), Err(Code::InvalidCredentials));
    let none = internal(&[], &headers(&[("authorization", "Bearer x")]));
    assert!(none.is_err());
}

#[test]
fn an_organization_is_named_once_by_its_id() {
    let of = |values: &[&'static str]| {
        let pairs: Vec<_> = values.iter().map(|v| ("berth-organization", *v)).collect();
        organization(&headers(&pairs)).map_err(|problem| problem.code())
    };
    let id = "org_00000000000000000000000000000007";
    assert_eq!(of(&[]), Ok(None));
    assert_eq!(of(&[id]), Ok(Some(id.parse().expect("an id"))));
    assert_eq!(of(&["demo"]), Err(Code::MalformedRequest));
    assert_eq!(of(&[id, id]), Err(Code::MalformedRequest));
}
