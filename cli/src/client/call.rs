//! One call: what is asked, kept whole so that it can be asked again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use url::Url;

pub(super) const PREFIX: &str = "/api/v1/";
const KEY_LENGTH_MAX: usize = 255;

/// What makes two creations the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

/// Why a text is no idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an idempotency key is 1 to {KEY_LENGTH_MAX} visible ASCII characters, without blanks")]
pub(crate) struct IdempotencyKeyError;

impl IdempotencyKey {
    /// A key that nobody else will choose.
    pub(crate) fn random() -> Self {
        Self(format!("berth-{:032x}", rand::random::<u128>()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = IdempotencyKeyError;

    fn from_str(text: &str) -> Result<Self, IdempotencyKeyError> {
        let sound = (1..=KEY_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic());
        if sound {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdempotencyKeyError)
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request that can be sent more than once.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    idempotency_key: Option<IdempotencyKey>,
    wait: Duration,
}

impl Call {
    /// `path` is relative to `/api/v1/`; ids in it are plain (see `verbs::id`).
    fn new(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            body: None,
            idempotency_key: None,
            wait: Duration::ZERO,
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    /// A creation or an action; repeated only under this key.
    pub(crate) fn post(path: &str, key: IdempotencyKey) -> Self {
        Self {
            idempotency_key: Some(key),
            ..Self::new(Method::POST, path)
        }
    }

    /// A question that is too long for a query; it changes nothing.
    pub(crate) fn question(path: &str) -> Self {
        Self::new(Method::POST, path)
    }

    pub(crate) fn put(path: &str) -> Self {
        Self::new(Method::PUT, path)
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path)
    }

    #[must_use]
    pub(crate) fn with_body(self, body: Value) -> Self {
        Self {
            body: Some(body),
            ..self
        }
    }

    /// A document of the platform, beside the API: `path` is the whole one.
    pub(crate) fn document(path: &'static str) -> Self {
        Self::new(Method::GET, path)
    }

    /// Adds a parameter to the query when there is a value.
    #[must_use]
    pub(crate) fn with_query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query
            .extend(value.map(|value| (name, value.to_string())));
        self
    }

    /// Lets the server hold its answer back for this long.
    #[must_use]
    pub(crate) fn with_wait(self, wait: Duration) -> Self {
        let call = self.with_query("wait_seconds", Some(wait.as_secs()));
        Self { wait, ..call }
    }

    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    pub(crate) fn body(&self) -> Option<&Value> {
        self.body.as_ref()
    }

    pub(crate) fn idempotency_key(&self) -> Option<&IdempotencyKey> {
        self.idempotency_key.as_ref()
    }

    pub(crate) fn wait(&self) -> Duration {
        self.wait
    }

    /// Whether the same call twice has the effect of once.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.method.is_idempotent() || self.idempotency_key.is_some()
    }

    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        let prefix = if self.path.starts_with('/') {
            ""
        } else {
            PREFIX
        };
        let base_path = base.path().trim_end_matches('/');
        url.set_path(&format!("{base_path}{prefix}{}", self.path));
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}
