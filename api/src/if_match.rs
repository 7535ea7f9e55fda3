//! `If-Match`: a change names the version that it was decided on (RFC 9110, section 13.1.1).

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::problem::{Code, Problem};
use crate::resource::etag;

/// The versions that the caller is ready to change.
#[derive(Debug)]
pub struct IfMatch(String);

/// Somebody else changed it since the caller looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the resource is at version {0} now; read it again")]
pub struct Stale(i64);

impl IfMatch {
    /// Whether the version is one of them.
    pub fn check(&self, version: i64) -> Result<(), Stale> {
        let current = etag(version);
        let met = self
            .0
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag == current);
        if met { Ok(()) } else { Err(Stale(version)) }
    }
}

impl From<Stale> for Problem {
    fn from(stale: Stale) -> Self {
        Self::new(Code::PreconditionFailed).detail(stale.to_string())
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .headers
            .get(header::IF_MATCH)
            .and_then(|value| value.to_str().ok())
            .map(|text| Self(text.to_owned()))
            .ok_or_else(|| {
                Problem::new(Code::PreconditionRequired)
                    .detail("send the ETag of the resource as If-Match")
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strong_comparison() {
        let met = |header: &str, version| IfMatch(header.to_owned()).check(version).is_ok();
        assert!(met("\"v3\"", 3));
        assert!(met("\"v1\", \"v3\"", 3));
        assert!(met("*", 3));
        for stale in ["\"v2\"", "v3", "W/\"v3\"", "", "\"v33\""] {
            assert!(!met(stale, 3), "{stale}");
        }
    }
}
