//! An answer that says yes, whole.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;

use super::{Error, Result};

/// What came back: the body as the server wrote it, and what the headers say.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The part of the body that `T` knows.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.text).map_err(|source| Error::Body {
            status: self.status.as_u16(),
            source,
        })
    }

    /// A header's value, if it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Whether an earlier call with the same key did the work.
    pub(crate) fn was_replayed(&self) -> bool {
        self.header("idempotency-replayed") == Some("true")
    }
}
