//! What the server says when it says no: `application/problem+json`.

use std::fmt;

use serde::Deserialize;

use super::text::plain;

/// When the same call may be tried again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Retry {
    /// It will be refused again.
    #[default]
    Never,
    /// At once, under the same idempotency key.
    SameKey,
    /// When the world has changed (room, time).
    Later,
    /// A word that this client does not know.
    #[serde(other)]
    Unknown,
}

/// One field of the request that was not right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct FieldError {
    /// JSON pointer into the request's body.
    pub(crate) pointer: String,
    pub(crate) detail: String,
}

/// Why the server refused. Also how an operation says why it failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    pub(crate) title: String,
    pub(crate) status: u16,
    pub(crate) detail: Option<String>,
    /// Stable name of the cause.
    pub(crate) code: String,
    /// Finds the request in the server's log.
    pub(crate) request_id: Option<String>,
    pub(crate) retry: Retry,
    pub(crate) errors: Vec<FieldError>,
}

/// One clear line `title: detail (code, request id)`, and one more for each wrong field.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", plain(&self.title))?;
        if let Some(detail) = self.detail.as_deref().filter(|text| *text != self.title) {
            write!(f, ": {}", plain(detail))?;
        }
        write!(f, " ({}", plain(&self.code))?;
        if let Some(request) = &self.request_id {
            write!(f, ", {}", plain(request))?;
        }
        write!(f, ")")?;
        for FieldError { pointer, detail } in &self.errors {
            let place = if pointer.is_empty() {
                "the body"
            } else {
                pointer
            };
            write!(f, "\n  {}: {}", plain(place), plain(detail))?;
        }
        Ok(())
    }
}
