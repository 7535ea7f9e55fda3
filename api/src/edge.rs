//! The outermost layer, around known and unknown paths alike: request id, trace span, metrics,
//! panics, and the final form of errors.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::sync::Semaphore;
use tracing::Instrument;
use tracing::field::Empty;
use uuid::Uuid;

use crate::endpoint::VERB_MARK;
use crate::limit::Fields;
use crate::problem::{self, Code, Problem};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_REQUEST_ID_BYTES: usize = 128;

/// Names one request in answers, logs and the audit log: the caller's own, or a fresh one.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(Arc<str>);

impl RequestId {
    fn of(request: &Request) -> Self {
        let given = request
            .headers()
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok());
        match given.filter(|text| is_plain(text)) {
            Some(text) => Self(text.into()),
            None => Self(format!("req_{}", db::id::fresh::<Uuid>().simple()).into()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Safe to repeat in a header, a log line and a database row.
fn is_plain(text: &str) -> bool {
    (1..=MAX_REQUEST_ID_BYTES).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
}

/// Requests at work at the same time; beyond it the answer is 503 at once, before anything is
/// spent on them (HRD-03). Long polls count.
const MAX_IN_FLIGHT: usize = 1024;

/// How many more requests may come in.
#[derive(Clone)]
pub(crate) struct Room(Arc<Semaphore>);

impl Room {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_IN_FLIGHT)))
    }
}

async fn admit(room: Room, request: Request, next: Next) -> Response {
    match room.0.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Problem::new(Code::Overloaded)
            .retry_after_seconds(1)
            .into_response(),
    }
}

pub(crate) async fn handle(State(room): State<Room>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let (method, route) = (method_label(request.method()), route_label(&request));
    let span = tracing::info_span!(
        "http_request",
        request_id = id.as_str(),
        method,
        route,
        status = Empty,
        code = Empty,
        principal = Empty,
        rate_class = Empty,
    );
    // A panic is a bug of ours: the hook has logged it, the caller learns nothing about it.
    let answer = AssertUnwindSafe(admit(room, request, next))
        .catch_unwind()
        .instrument(span.clone())
        .await
        .unwrap_or_else(|_| Problem::new(Code::Internal).into_response());
    let limits = answer.extensions().get::<Fields>().cloned();
    let mut answer = problem::finish(answer, id.as_str());
    let headers = answer.headers_mut();
    if let Some(fields) = limits {
        fields.put(headers);
    }
    if let Ok(value) = HeaderValue::try_from(id.as_str()) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let status = answer.status().as_u16();
    span.record("status", status);
    if let Some(code) = answer.extensions().get::<Code>() {
        span.record("code", code.as_str());
    }
    span.in_scope(|| tracing::info!(elapsed_ms = started.elapsed().as_millis(), "answered"));
    let labels = [
        ("route", route),
        ("method", method.to_owned()),
        ("status", status.to_string()),
    ];
    metrics::histogram!("http_request_duration_seconds", &labels)
        .record(started.elapsed().as_secs_f64());
    answer
}

/// The template, so that ids never become labels.
fn route_label(request: &Request) -> String {
    match request.extensions().get::<MatchedPath>() {
        Some(path) => path.as_str().replace(&format!("/{VERB_MARK}"), ":"),
        None => "unmatched".to_owned(),
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_are_plain_or_ours() {
        let id = |text: &'static str| {
            RequestId::of(
                &Request::builder()
                    .header(X_REQUEST_ID, text)
                    .body(axum::body::Body::empty())
                    .expect("a request"),
            )
        };
        assert_eq!(id("abc-1.2:3_").as_str(), "abc-1.2:3_");
        for odd in ["", "a b", "a\"b", "<x>", "ä"] {
            assert!(id(odd).as_str().starts_with("req_"), "{odd}");
        }
    }
}
