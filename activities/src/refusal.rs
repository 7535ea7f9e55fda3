//! Why a step in the database did not happen, and what Temporal is told about it.

use contract::failure;
use platform::objects::ObjectError;
use temporalio_common::error::ApplicationFailure;
use temporalio_sdk::activities::ActivityError;

/// Deliberately no `std::error::Error`: `?` must not turn it into a failure without a type.
#[derive(Debug)]
pub enum Refusal {
    /// The row is not in the state that the step starts from: the workflow reads it again.
    Conflict(String),
    /// The database is away, or refuses for a reason of its own: tried again.
    Database(db::Error),
    /// Something else that the step needs is away: tried again.
    Away(String),
}

impl Refusal {
    /// The row of a thing is in a state that the step knows nothing to do in.
    pub fn conflict(thing: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self::Conflict(format!("{thing}: {why}"))
    }

    /// Trying again would change nothing.
    pub fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict(_))
    }

    /// Others read or write, and kept a change of the schema from its lock.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Database(error) if db::partition::is_busy(error))
    }
}

impl From<db::Error> for Refusal {
    fn from(error: db::Error) -> Self {
        match error {
            db::Error::RowsAffected { .. } => Self::Conflict(error.to_string()),
            other => Self::Database(other),
        }
    }
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.into())
    }
}

impl From<ObjectError> for Refusal {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Missing(_) | ObjectError::TooLarge(_) => Self::Conflict(error.to_string()),
            ObjectError::Unavailable(_) => Self::Away(error.to_string()),
        }
    }
}

impl From<Refusal> for ActivityError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict(why) => Self::application(
                ApplicationFailure::builder(anyhow::Error::msg(why))
                    .type_name(failure::STATE_CONFLICT.to_owned())
                    .non_retryable(true)
                    .build(),
            ),
            Refusal::Away(why) => {
                tracing::warn!(why, "a step waits");
                Self::application(ApplicationFailure::new(anyhow::Error::msg(why)))
            }
            Refusal::Database(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "step in the database"
                );
                Self::application(ApplicationFailure::new(anyhow::Error::new(error)))
            }
        }
    }
}
