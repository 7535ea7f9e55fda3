//! Error answers: problem details (RFC 9457), one shape for every failure of every route.
//!
//! A [`Problem`] carries no text from below: errors of the database are logged where they become
//! a problem and appear outside as their code only. The edge adds the request id and turns bare
//! error answers of the framework into problems too.

mod code;

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use platform::sealing::{OpenError, SealError};
use serde::Serialize;
use utoipa::ToSchema;

pub use self::code::{Code, Retry};

/// A failure on its way to the caller.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", code.as_str())]
pub struct Problem {
    code: Code,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    violated_policies: Vec<String>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One member of the body that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) into the body; empty: the body itself.
    pub pointer: String,
    pub detail: String,
}

/// The body of every error answer (`application/problem+json`).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Document<'a> {
    /// `urn:berth:problem:<code>`
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    /// The HTTP status once more.
    status: u16,
    detail: &'a str,
    /// Stable name of the problem; decide by this one.
    code: &'a str,
    /// The `X-Request-Id` of the answer.
    request_id: &'a str,
    retry: Retry,
    /// What is wrong with the body, member by member.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    /// Which limits were exceeded, by their names in `RateLimit-Policy`; in `rate_limited` only.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    violated_policies: &'a [String],
}

impl Problem {
    pub fn new(code: Code) -> Self {
        Self {
            code,
            detail: None,
            errors: Vec::new(),
            violated_policies: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// What is particular to this occurrence; never a text of the database or of the system.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Points at a member of the body.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.errors.push(FieldError {
            pointer: pointer.into(),
            detail: detail.into(),
        });
        self
    }

    /// Names the limits that were exceeded.
    #[must_use]
    pub fn violates(mut self, policies: Vec<String>) -> Self {
        self.violated_policies = policies;
        self
    }

    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    #[must_use]
    pub fn retry_after_seconds(self, seconds: u32) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The value of `Retry-After`, if it is sent.
    pub fn retry_after(&self) -> Option<&HeaderValue> {
        let mut headers = self.headers.iter();
        headers.find_map(|(name, value)| (*name == header::RETRY_AFTER).then_some(value))
    }

    pub fn code(&self) -> Code {
        self.code
    }

    /// What [`Self::at`] pointed at.
    pub fn pointers(&self) -> Vec<&str> {
        self.errors.iter().map(|error| &*error.pointer).collect()
    }

    /// The key service does not answer; nothing was written.
    fn kms_away() -> Self {
        Self::new(Code::Unavailable)
            .detail("the key service does not answer")
            .retry_after_seconds(1)
    }

    /// The thing is not there, or belongs to somebody else: the two look the same.
    pub fn not_found(kind: &str) -> Self {
        Self::new(Code::NotFound).detail(format!("there is no such {}", kind.replace('_', " ")))
    }

    /// One member of a body that could be read is not acceptable.
    pub fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self::new(Code::InvalidRequest)
            .detail(detail.clone())
            .at(pointer, detail)
    }

    /// A failure of ours: the cause goes to the log, the caller learns its code only.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = cause, "request failed");
        Self::new(Code::Internal)
    }

    fn render(&self, request_id: &str) -> Response {
        let document = Document {
            kind: format!("urn:berth:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.as_deref().unwrap_or(self.code.title()),
            code: self.code.as_str(),
            request_id,
            retry: self.code.retry(),
            errors: &self.errors,
            violated_policies: &self.violated_policies,
        };
        let mut response = (self.code.status(), Json(document)).into_response();
        let headers = response.headers_mut();
        headers.extend(self.headers.iter().cloned());
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        response
    }
}

/// The body waits for the edge, which knows the request id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// A key service that is away may come back; a value that was moved or changed never opens, and
/// which of the two it was is nobody's business but the log's.
impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Unavailable(_) => Self::kms_away(),
            OpenError::Refused(_) => Self::new(Code::SealedValueUnreadable),
        }
    }
}

impl From<SealError> for Problem {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Unavailable(cause) => {
                tracing::warn!(%cause, "cannot seal");
                Self::kms_away()
            }
            SealError::TooLong(_) => Self::internal(&error),
        }
    }
}

/// A caller is told that the database is away or that it failed, nothing more. Constraints that
/// an endpoint knows how to explain are mapped there, before this.
impl From<db::Error> for Problem {
    fn from(error: db::Error) -> Self {
        match &error {
            db::Error::Database(cause) if is_away(cause) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "database is away");
                Self::new(Code::Unavailable)
                    .detail("the database does not answer")
                    .retry_after_seconds(1)
            }
            db::Error::NoPartition(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "no partition");
                Self::new(Code::PartitionMissing)
                    .detail("there is nothing to write this to; nothing was changed")
                    .retry_after_seconds(60)
            }
            // A text with a zero byte, a number beyond what is kept.
            db::Error::Database(cause) if is_of_the_data(cause) => {
                Self::new(Code::InvalidRequest).detail("a value is of a kind that cannot be kept")
            }
            db::Error::Constraint { name, .. } if name.ends_with("_transition") => {
                Self::new(Code::Conflict)
            }
            db::Error::RowsAffected { .. } => {
                Self::new(Code::Conflict).detail("the resource was changed at the same time")
            }
            _ => Self::internal(&error),
        }
    }
}

/// Nobody is let through on a guess: the caller is told to come back, not that he has no right.
impl From<crate::policy::Unusable> for Problem {
    fn from(unusable: crate::policy::Unusable) -> Self {
        Self::new(Code::Unavailable)
            .detail(unusable.to_string())
            .retry_after_seconds(1)
    }
}

/// Class 22 of SQLSTATE (data exception).
fn is_of_the_data(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code.starts_with("22"))
}

/// Whether asking again may help: no connection, or a transaction that lost against another.
fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::Io(_)
        | sqlx::Error::Tls(_) => true,
        // Classes 08 (connection), 40 (rolled back), 53 (resources), 57 (operator) of SQLSTATE.
        sqlx::Error::Database(cause) => cause.code().is_some_and(|code| {
            ["08", "40", "53", "57"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// Gives an answer its final form: problems get their body, and error answers that no code of
/// ours made (an unknown path, a wrong method) become problems. JSON is ours: what is not ready
/// says why.
pub(crate) fn finish(mut response: Response, request_id: &str) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let mut rendered = problem.render(request_id);
        rendered.extensions_mut().insert(problem.code);
        // What layers in between have said about the answer, such as who may read it.
        for (name, value) in response.headers() {
            rendered
                .headers_mut()
                .entry(name)
                .or_insert_with(|| value.clone());
        }
        return rendered;
    }
    let status = response.status();
    let content_type = response.headers().get(header::CONTENT_TYPE);
    let ours = content_type.is_some_and(|kind| kind == "application/json");
    if ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let problem = allow
        .into_iter()
        .fold(Problem::new(bare(status)), |problem, value| {
            problem.header(header::ALLOW, value)
        });
    let mut rendered = problem.render(request_id);
    rendered.extensions_mut().insert(problem.code);
    rendered
}

fn bare(status: StatusCode) -> Code {
    match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Code::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Code::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::UnsupportedMediaType,
        status if status.is_client_error() => Code::MalformedRequest,
        _ => Code::Internal,
    }
}

/// Lets an endpoint's error enum, which says what it is as a [`Problem`], end a handler.
#[macro_export]
macro_rules! answers_as_problem {
    ($($error:ty),+ $(,)?) => {$(
        impl axum::response::IntoResponse for $error {
            fn into_response(self) -> axum::response::Response {
                $crate::problem::Problem::from(self).into_response()
            }
        }
    )+};
}

#[cfg(test)]
mod tests;
