//! The identity provider and what it may do.

use std::net::IpAddr;

use domain::jwt::{Algorithm, Rules, TokenType};
use secrecy::SecretString;
use url::{Host, Url};

use super::super::{BrowserClient, Oidc};
use super::{From, Result, WEB, bad};

const ISSUER: &str = "OIDC_ISSUER_URL";
const CLIENT_ID: &str = "OIDC_CLIENT_ID";
const CLIENT_SECRET: &str = "OIDC_CLIENT_SECRET";
const AUDIENCE: &str = "BERTH_OIDC_AUDIENCE";
const ALGORITHMS: &str = "BERTH_OIDC_ALGORITHMS";
const CLIENTS: &str = "BERTH_OIDC_CLIENTS";
const PUBLIC_URL: &str = "BERTH_PUBLIC_URL";
const REFRESH: &str = "INTERNAL_JWKS_REFRESH_TOKEN";

/// 256 bits in base64url; anything shorter can be guessed or was chosen by hand.
const MIN_TOKEN_CHARS: usize = 43;
/// The new one and the one that it takes over from.
const MAX_TOKENS: usize = 2;

pub(super) fn oidc(from: &From<'_>) -> Result<Option<Oidc>> {
    let rest = [CLIENT_ID, CLIENT_SECRET, AUDIENCE, CLIENTS];
    if from.get(ISSUER).is_none() && rest.iter().all(|name| from.get(name).is_none()) {
        return Ok(None);
    }
    let issuer = issuer(from)?;
    let audience = match from.get(AUDIENCE) {
        Some(audience) => audience,
        None => from.required(CLIENT_ID)?,
    };
    Ok(Some(Oidc {
        rules: Rules {
            issuer,
            audience: audience.to_owned(),
            token_type: TokenType::Access,
            algorithms: algorithms(from)?,
            clients: from.items(CLIENTS).map(ToOwned::to_owned).collect(),
        },
        browsers: browsers(from)?,
    }))
}

fn browsers(from: &From<'_>) -> Result<Option<BrowserClient>> {
    let Some(secret) = from.get(CLIENT_SECRET) else {
        return Ok(None);
    };
    let client_id = from.required(CLIENT_ID)?.to_owned();
    let public_url = from.required_url(PUBLIC_URL, WEB)?;
    let public_url = Url::parse(&public_url).map_err(|_| bad(PUBLIC_URL, "not a URL"))?;
    // The provider compares the address that we send it with the one that it knows.
    if url_is_more_than_an_origin(&public_url) {
        return Err(bad(
            PUBLIC_URL,
            "has more than a host and a port, which browsers cannot log in at",
        ));
    }
    // Browsers keep a `__Host-` cookie from nowhere else.
    if !is_private(&public_url) {
        return Err(bad(
            PUBLIC_URL,
            "must be https:// unless it is a loopback address, for browsers to log in",
        ));
    }
    Ok(Some(BrowserClient {
        client_id,
        client_secret: secret.into(),
        public_url,
    }))
}

/// The text as it was given: `iss` is compared with it.
fn issuer(from: &From<'_>) -> Result<String> {
    let text = from.required_url(ISSUER, WEB)?;
    let url = Url::parse(&text).map_err(|_| bad(ISSUER, "not a URL"))?;
    let plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    if !plain {
        return Err(bad(ISSUER, "has more than a host, a port and a path"));
    }
    if !is_private(&url) {
        return Err(bad(
            ISSUER,
            "must be https:// unless it is a loopback address",
        ));
    }
    Ok(text)
}

fn url_is_more_than_an_origin(url: &Url) -> bool {
    url.path() != "/"
        || url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
}

/// Nobody on the way can read it: TLS, or this machine.
fn is_private(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    url.scheme() == "https" || loopback
}

fn algorithms(from: &From<'_>) -> Result<Vec<Algorithm>> {
    let algorithms: Vec<Algorithm> = from
        .items(ALGORITHMS)
        .map(|name| {
            name.parse()
                .map_err(|_| bad(ALGORITHMS, "names an algorithm that is not taken"))
        })
        .collect::<Result<_>>()?;
    if algorithms.is_empty() {
        return Err(bad(ALGORITHMS, "names no algorithm"));
    }
    Ok(algorithms)
}

pub(super) fn refresh_tokens(from: &From<'_>) -> Result<Vec<SecretString>> {
    let tokens: Vec<&str> = from.items(REFRESH).collect();
    if tokens.len() > MAX_TOKENS {
        return Err(bad(REFRESH, "more than two tokens"));
    }
    let long = |token: &&str| {
        token.len() >= MIN_TOKEN_CHARS && token.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if !tokens.iter().all(long) {
        return Err(bad(
            REFRESH,
            "fewer than 43 visible ASCII characters (256 bits)",
        ));
    }
    Ok(tokens.into_iter().map(SecretString::from).collect())
}
