//! How a verb ends.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use crate::client::{Error, IdempotencyKey, SettingsError};

/// The codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Ok,
    /// It was tried and did not work.
    Failed,
    /// It was asked for wrongly.
    Usage,
    /// No key, or one that may not do this.
    Auth,
    NotFound,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// A wait ended before what it waited for.
    TimedOut,
    /// What another program (`ssh`) ended with.
    Other(u8),
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Auth => 3,
            Self::NotFound => 4,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
            Self::Other(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Api(#[from] Error),
    /// A creation whose fate is unknown.
    #[error(
        "{source}\nThis may have been done all the same. To be sure, repeat it with \
         --idempotency-key {key}"
    )]
    InDoubt { source: Error, key: IdempotencyKey },
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    NotPossible(String),
    #[error("{operation} is not over after {limit:?}; `{follow}` waits on")]
    TimedOut {
        operation: String,
        limit: Duration,
        follow: String,
    },
    #[error("no longer watching; `{follow}` watches on")]
    Interrupted { follow: String },
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Api(error) | Self::InDoubt { source: error, .. } => match error.status() {
                Some(401 | 403) => Exit::Auth,
                Some(404) => Exit::NotFound,
                _ => Exit::Failed,
            },
            Self::Settings(SettingsError::Missing { secret: true, .. }) => Exit::Auth,
            Self::Settings(_) | Self::Usage(_) => Exit::Usage,
            Self::NotPossible(_) | Self::Output(_) => Exit::Failed,
            Self::TimedOut { .. } => Exit::TimedOut,
            Self::Interrupted { .. } => Exit::Interrupted,
        }
    }

    /// Whether nobody is left to hear about it: the reader of a pipe went away.
    pub(crate) fn is_unheard(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

pub(crate) type Result<T = Exit> = std::result::Result<T, Failure>;
