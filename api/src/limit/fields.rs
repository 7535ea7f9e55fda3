//! `RateLimit` and `RateLimit-Policy`: structured fields (RFC 9651) as
//! `draft-ietf-httpapi-ratelimit-headers` has them.
//!
//! `q` is what may be done at once and `w` the seconds in which that comes back; `r` is what may be
//! done now, and `t` the seconds until it is one more.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use platform::limiter::Bucket;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What an answer says about limits. Buckets that the caller shares with strangers are named only
/// when they refused him, so that nobody can watch others through them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Vec<(String, Bucket)>);

impl Fields {
    pub(super) fn new(shown: Vec<(String, Bucket)>) -> Self {
        Self(shown)
    }

    /// Adds both fields, or none when nothing is to be said.
    pub(crate) fn put(&self, headers: &mut HeaderMap) {
        let list = |item: fn(&(String, Bucket)) -> String| {
            let items: Vec<String> = self.0.iter().map(item).collect();
            HeaderValue::try_from(items.join(", ")).ok()
        };
        if self.0.is_empty() {
            return;
        }
        let policy = list(|(name, bucket)| {
            let (burst, window) = (bucket.rate.burst(), bucket.rate.window_seconds());
            format!("\"{name}\";q={burst};w={window}")
        });
        let now = list(|(name, bucket)| {
            let level = bucket.level;
            format!("\"{name}\";r={};t={}", level.left, level.next_seconds)
        });
        if let (Some(policy), Some(now)) = (policy, now) {
            headers.insert(RATELIMIT_POLICY, policy);
            headers.insert(RATELIMIT, now);
        }
    }
}
