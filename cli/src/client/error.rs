//! Why a call came to nothing.

use std::time::Duration;

use reqwest::StatusCode;
use url::Url;

use super::problem::{Problem, Retry};
use super::{Answer, Call};

/// The longest that a server may ask this client to wait before the next try.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The server refused and said why.
    #[error("{problem}")]
    Refused {
        problem: Box<Problem>,
        retry_after: Option<Duration>,
    },
    /// Something between us and the server refused: the answer is not Berth's.
    #[error("{status} from something that is not Berth's API")]
    Foreign { status: StatusCode },
    /// No answer.
    #[error("no answer from {url}: {reason}")]
    Unreachable {
        url: String,
        reason: String,
        before_sending: bool,
    },
    #[error("an answer ({status}) that this client does not understand: {source}")]
    Body {
        status: u16,
        source: serde_json::Error,
    },
    #[error("the API key holds characters that cannot be sent")]
    KeyShape,
}

impl Error {
    pub(super) fn refused(answer: &Answer) -> Self {
        match answer.json::<Problem>() {
            Ok(mut problem) if !problem.code.is_empty() => {
                problem.status = answer.status.as_u16();
                let seconds = answer
                    .header("retry-after")
                    .and_then(|value| value.parse().ok());
                let retry_after = seconds.map(Duration::from_secs);
                Self::Refused {
                    problem: Box::new(problem),
                    retry_after,
                }
            }
            _ => Self::Foreign {
                status: answer.status,
            },
        }
    }

    pub(super) fn unreachable(base: &Url, source: &reqwest::Error) -> Self {
        let before_sending = source.is_connect() || source.is_builder();
        let reason = if source.is_timeout() {
            "timed out".to_owned()
        } else {
            root_cause(source)
        };
        Self::Unreachable {
            url: base.to_string(),
            reason,
            before_sending,
        }
    }

    /// The status that was answered, if there was an answer.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { problem, .. } => Some(problem.status),
            Self::Foreign { status } => Some(status.as_u16()),
            Self::Body { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::KeyShape => None,
        }
    }

    /// Whether the work may have been done although nobody said so.
    pub(crate) fn is_in_doubt(&self) -> bool {
        match self {
            Self::Unreachable { before_sending, .. } => !before_sending,
            Self::Foreign { status } => status.is_server_error(),
            Self::Refused { problem, .. } => problem.retry == Retry::SameKey,
            Self::Body { .. } => true,
            Self::KeyShape => false,
        }
    }

    /// Whether the same call may well succeed in a moment, and does no harm.
    pub(super) fn may_pass(&self, call: &Call) -> bool {
        match self {
            Self::Unreachable { before_sending, .. } => *before_sending || call.is_repeatable(),
            Self::Foreign { status } => {
                let passing = [
                    StatusCode::BAD_GATEWAY,
                    StatusCode::SERVICE_UNAVAILABLE,
                    StatusCode::GATEWAY_TIMEOUT,
                ];
                passing.contains(status) && call.is_repeatable()
            }
            Self::Refused {
                problem,
                retry_after,
            } => {
                // Who was held off by a limit has done nothing yet.
                let unbegun = problem.status == StatusCode::TOO_MANY_REQUESTS.as_u16()
                    && problem.retry != Retry::Never;
                (unbegun || problem.retry == Retry::SameKey && call.is_repeatable())
                    && retry_after.is_none_or(|wait| wait <= RETRY_AFTER_MAX)
            }
            Self::Body { .. } | Self::KeyShape => false,
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// The last sentence of the chain: the others name layers, this one the cause.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
