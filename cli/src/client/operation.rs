//! Operations as the API shows them.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;

use super::{Problem, plain};

/// A word for a state. Words of a newer server stay words.
pub(crate) type StateName = String;

/// What an operation changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Resource {
    pub(crate) kind: String,
    pub(crate) id: String,
    /// Where it is, from the root of the server.
    pub(crate) url: String,
}

impl Resource {
    /// Where it is, as a call wants it; `None` for a place that is not the API's.
    pub(crate) fn path(&self) -> Option<&str> {
        self.url.strip_prefix(super::call::PREFIX)
    }
}

/// Who carries an operation out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct Workflow {
    pub(crate) id: String,
    /// Page in the Temporal UI, where one is known.
    pub(crate) url: Option<String>,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) state: StateName,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(crate) started_at: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(crate) ended_at: Option<OffsetDateTime>,
    #[serde(default)]
    pub(crate) attempt: u32,
    #[serde(default)]
    pub(crate) detail: Option<String>,
}

impl Step {
    /// How long the last attempt took, by the server's clock; `None` until it ended.
    pub(crate) fn took(&self) -> Option<time::Duration> {
        Some(self.ended_at? - self.started_at?)
    }
}

/// A change that somebody asked for and that takes its time.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) state: StateName,
    /// Past its deadline and still open.
    #[serde(default)]
    pub(crate) stuck: bool,
    #[serde(default)]
    pub(crate) resource: Option<Resource>,
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) error: Option<Value>,
    #[serde(default)]
    pub(crate) workflow: Option<Workflow>,
    #[serde(default)]
    pub(crate) deadline_at: Option<String>,
    pub(crate) created_at: String,
    #[serde(default)]
    pub(crate) updated_at: Option<String>,
}

impl Operation {
    /// Why it failed, in words.
    pub(crate) fn why(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        match serde_json::from_value::<Problem>(error.clone()) {
            Ok(problem) if !problem.code.is_empty() => Some(problem.to_string()),
            _ => Some(plain(&error.to_string()).into_owned()),
        }
    }

    /// Whether nothing more will happen.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state.as_str(), "succeeded" | "failed" | "cancelled")
    }

    pub(crate) fn has_succeeded(&self) -> bool {
        self.state == "succeeded"
    }
}
