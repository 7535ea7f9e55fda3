//! From the issuer's name to its keys: discovery (OpenID Connect Discovery 1.0, section 4), then
//! the document that it names.

use domain::jwt::{KeySet, KeySetError};
use serde::Deserialize;
use url::Url;

use crate::dial::web::{Page, Web, WebError};

#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error(transparent)]
    Web(#[from] WebError),
    #[error("the discovery document cannot be read")]
    Discovery,
    #[error("the discovery document is another issuer's")]
    Issuer,
    #[error("the keys cannot be read: {0}")]
    Keys(#[from] KeySetError),
}

impl FetchError {
    /// The `result` of `jwks_fetch_total`.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Web(WebError::Denied(_) | WebError::Scheme) => "denied",
            Self::Web(WebError::Unreachable(_)) => "unreachable",
            Self::Web(WebError::Status(_)) => "status",
            Self::Web(WebError::TooLarge) => "too_large",
            Self::Discovery | Self::Keys(_) => "malformed",
            Self::Issuer => "issuer_mismatch",
        }
    }
}

/// What of the discovery document is read.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Discovery {
    issuer: String,
    jwks_uri: String,
    pub(super) authorization_endpoint: Option<Url>,
    pub(super) token_endpoint: Option<Url>,
    /// Whether `iss` comes with every code (RFC 9207, section 3).
    #[serde(default)]
    pub(super) authorization_response_iss_parameter_supported: bool,
}

/// What the issuer says of itself.
pub(super) async fn discovery(web: &Web, issuer: &str) -> Result<Discovery, FetchError> {
    let base = issuer.trim_end_matches('/');
    let url = format!("{base}/.well-known/openid-configuration");
    let url: Url = url.parse().map_err(|_| FetchError::Discovery)?;
    let page = web.get(&url).await?;
    let found: Discovery = serde_json::from_slice(&page.body).map_err(|_| FetchError::Discovery)?;
    if found.issuer != issuer {
        return Err(FetchError::Issuer);
    }
    Ok(found)
}

/// The keys that the issuer publishes now, and how long it says they are good.
pub(super) async fn keys(web: &Web, issuer: &str) -> Result<(KeySet, Page), FetchError> {
    let found = discovery(web, issuer).await?;
    let url: Url = found.jwks_uri.parse().map_err(|_| FetchError::Discovery)?;
    let page = web.get(&url).await?;
    Ok((KeySet::parse(&page.body)?, page))
}
