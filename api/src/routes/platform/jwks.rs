//! `GET /.well-known/jwks.json`

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::OPEN;
use crate::app::App;
use crate::endpoint::Endpoint;
use crate::problem::{Code, Problem};

/// Verifiers keep the set this long; the next key is published for longer before it signs.
const CACHE: &str = "max-age=60, must-revalidate";

pub(super) fn endpoint() -> Endpoint {
    Endpoint::new(routes!(handler), OPEN)
}

/// A JWK set (RFC 7517).
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what `platform::signing` renders")]
struct Jwks {
    keys: Vec<Jwk>,
}

/// An Ed25519 public key (RFC 8037).
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what `platform::signing` renders")]
struct Jwk {
    #[schema(example = "OKP")]
    kty: String,
    #[schema(example = "Ed25519")]
    crv: String,
    /// The public key, base64url.
    x: String,
    /// Its thumbprint (RFC 7638).
    kid: String,
    #[schema(example = "EdDSA")]
    alg: String,
    #[schema(rename = "use", example = "sig")]
    usage: String,
    /// `jwt_signer`: receipts and webhooks; `terminal_signer`: tickets.
    #[schema(example = "jwt_signer")]
    berth_purpose: String,
}

/// The public keys that Berth signs with
///
/// Those that sign, those that signed and still count, and those that will sign next. Receipts are
/// verified with them.
#[utoipa::path(get, path = "/.well-known/jwks.json", responses(
    (status = 200, description = "The keys; with an entity tag", body = Jwks, content_type = "application/jwk-set+json"),
    (status = 304, description = "They are those of `If-None-Match`")))]
async fn handler(State(app): State<App>, headers: HeaderMap) -> Result<Response, Problem> {
    let published = app.signer.published().await.map_err(|error| {
        tracing::warn!(?error, "the published keys cannot be had");
        Problem::new(Code::Unavailable)
    })?;
    let known = headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|tag| matches(tag.trim(), &published.etag));
    let caching = [
        (header::ETAG, published.etag),
        (header::CACHE_CONTROL, CACHE.to_owned()),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    let kind = [(header::CONTENT_TYPE, "application/jwk-set+json")];
    Ok((caching, kind, published.json).into_response())
}

/// The weak comparison of RFC 9110, section 8.8.3.2.
fn matches(tag: &str, etag: &str) -> bool {
    tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
}
